package io.github.distrifuser.backend;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One rank's device: its memory and the operators that the layers call.
 *
 * <p>Operators run in the order in which they are called and write into tensors that the caller
 * allocated; none allocates what it returns. Inputs and outputs must not overlap unless an operator
 * says so. A mis-shaped argument is an {@link IllegalArgumentException} that prints the expected
 * and the actual shape. Feature maps are {@code [batch, height, width, channels]}, tokens {@code
 * [batch, length, channels]}; unless said otherwise a tensor may have gaps between its batches
 * (dimension 0), and is dense within one. Activations are of {@link #dtype()}.
 *
 * <p>A backend serves one thread at a time. It keeps freed memory for the next allocation of the
 * same size, so that a loop with fixed shapes allocates nothing once it has run.
 */
public interface Backend extends AutoCloseable {

  /** The provider's name. */
  String name();

  Device device();

  /** Type of activations. */
  DType dtype();

  /** CPU threads that compute; 1 on a GPU. */
  int threads();

  // --- memory ---

  /** A dense tensor with undefined content, owned by the caller. */
  Tensor allocate(DType dtype, Shape shape);

  /** A dense tensor of {@link #dtype()} with undefined content, owned by the caller. */
  default Tensor allocate(long... dims) {
    return allocate(dtype(), Shape.of(dims));
  }

  MemoryStats memory();

  /** Returns cached memory that no tensor uses to the system. */
  void trim();

  /** Copies floats into a tensor of any strides, in row-major order, converting to its type. */
  void write(float[] source, int offset, Tensor target);

  /** Copies a tensor of any strides into floats, in row-major order; waits until it is there. */
  void read(Tensor source, float[] target, int offset);

  /** All elements as floats, in row-major order. */
  default float[] toFloats(Tensor t) {
    float[] f = new float[Math.toIntExact(t.shape().elements())];
    read(t, f, 0);
    return f;
  }

  /** Copies between tensors of the same shape and of any strides, converting the type. */
  void copy(Tensor source, Tensor target);

  /** Sets every element, any strides. */
  void fill(Tensor target, float value);

  /** Returns when all that was called has been done. */
  void synchronize();

  /**
   * A communicator that carries this backend's tensors between the ranks of another, which carries
   * bytes of the host. All ranks call it at the same point and wait for each other. What is posted
   * takes its place in the order of the operators' calls: it reads what those before have written,
   * and those after an {@code await} find it done. Close it before the backend; the other
   * communicator stays open.
   *
   * @param host all ranks of the world, for the same thread as this backend
   * @return {@code host} itself where it reaches the backend's tensors
   * @throws IllegalStateException where ranks cannot be connected so, saying why
   */
  default Communicator communicator(Communicator host) {
    return host;
  }

  /** Whether {@link #capture} can be tried. */
  default boolean canCapture() {
    return false;
  }

  /**
   * Captures what a step calls, so that it can be run again at little cost. The step must have run
   * before in the same way: it may not write or read the host's memory, wait, or prepare weights.
   *
   * @param step returns a tensor that it allocated
   * @throws CaptureException where that is impossible: nothing has run then
   */
  default StepGraph capture(Supplier<Tensor> step) {
    throw new UnsupportedOperationException(name() + " captures no steps");
  }

  // --- weights: prepared once, never re-packed ---

  /**
   * A linear layer's weight, or several of the same input width stacked along the output (q, k, v).
   *
   * @param name the module's state-dict key
   * @param parts each {@code [out_i, in]} (or {@code [out_i, in, 1, 1]})
   * @param biases one {@code [out_i]} a part, or null where the parts have none
   * @param splits output rows at which {@link PreparedWeight#rows} may cut, besides the borders
   *     between parts
   */
  PreparedWeight prepareLinear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits);

  /**
   * A convolution's weight.
   *
   * @param weight {@code [out, in, kh, kw]}
   * @param bias {@code [out]}, or null
   */
  PreparedWeight prepareConv2d(String name, WeightTensor weight, @Nullable WeightTensor bias);

  /** A normalisation's weight and bias, each {@code [channels]}. */
  PreparedWeight prepareNorm(String name, WeightTensor weight, WeightTensor bias);

  /** A table of rows to look up: {@code [entries, width]}. */
  PreparedWeight prepareEmbedding(String name, WeightTensor table);

  // --- operators ---

  /**
   * {@code out = activation(x W^T + b) + residual}.
   *
   * @param x {@code [.., in]}; rows may be spaced (a column slice of a wider tensor)
   * @param residual {@code [.., out]} or null; may be the output itself
   * @param out {@code [.., out]}; rows may be spaced
   */
  void linear(
      Tensor x, PreparedWeight w, Activation activation, @Nullable Tensor residual, Tensor out);

  /**
   * {@code out = v * gelu(g)} where {@code [v, g] = x W^T + b}; the weight's first half of rows
   * gives the value, the second the gate (diffusers' GEGLU). The weight must be split at the half.
   *
   * @param x {@code [.., in]}
   * @param out {@code [.., outRows / 2]}
   */
  void geglu(Tensor x, PreparedWeight w, Tensor out);

  /**
   * {@code out = conv(x) + b + channelBias + residual}.
   *
   * @param x {@code [b, h, w, in]}
   * @param channelBias {@code [b, out]}, or null: one more bias for each batch entry (the time
   *     embedding)
   * @param residual {@code [b, oh, ow, out]}, or null; may be the output itself
   * @param out {@code [b, oh, ow, out]}
   */
  void conv2d(
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out);

  /**
   * {@code out = activation(groupNorm(x) * weight + bias)} with the biased variance over each
   * group's channels and all pixels, statistics in fp32 or better.
   *
   * @param x {@code [b, h, w, c]} or {@code [b, l, c]}
   * @param out same shape; may be x itself
   */
  void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out);

  /**
   * Mean and biased variance of each group.
   *
   * @param x {@code [b, h, w, c]}
   * @param moments F32 {@code [b, groups, 2]}, dense: mean, variance
   */
  void groupMoments(Tensor x, int groups, Tensor moments);

  /** As {@link #groupNorm}, but with the given moments, F32 {@code [b, groups, 2]}. */
  void groupNormWith(
      Tensor x,
      Tensor moments,
      PreparedWeight affine,
      int groups,
      float eps,
      Activation activation,
      Tensor out);

  /**
   * The moments of an image from those of its patches; where a combined variance comes out
   * negative, the own patch's serves.
   *
   * @param all F32 {@code [patches, b, groups, 2]}: mean and variance of each patch
   * @param own F32 {@code [b, groups, 2]}: this patch's, of this step
   * @param weights each patch's share of the pixels, adding up to 1
   * @param index this patch
   * @param out F32 {@code [b, groups, 2]}
   */
  default void combineMoments(
      MomentRule rule, Tensor all, Tensor own, double[] weights, int index, Tensor out) {
    OperatorChecks.combineMoments(all, own, weights, index, out);
    write(HostMoments.combine(rule, toFloats(all), toFloats(own), weights, index), 0, out);
  }

  /** Normalises the last dimension, biased variance. {@code x} and {@code out} {@code [.., c]}. */
  void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out);

  /**
   * {@code softmax(q k^T * scale) v} per head, never holding all scores at once.
   *
   * @param q {@code [b, lq, heads * d]}; rows and batches may be spaced
   * @param k {@code [b, lk, heads * d]}; rows and batches may be spaced
   * @param v {@code [b, lk, heads * dv]}; rows and batches may be spaced
   * @param causal each query sees keys up to its own index only
   * @param out {@code [b, lq, heads * dv]}; rows and batches may be spaced
   */
  void attention(Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out);

  /** {@code out = activation(x)}; out may be x. */
  void activation(Tensor x, Activation activation, Tensor out);

  /** {@code out = a + b * scale}; out may be a or b. Same shapes. */
  void addScaled(Tensor a, Tensor b, float scale, Tensor out);

  /** {@code out = a * factor}; out may be a. */
  void scale(Tensor a, float factor, Tensor out);

  /**
   * Nearest-neighbour enlargement by two: {@code out[y, x] = in[y / 2, x / 2]}. The output has
   * {@code 2h} or {@code 2h - 1} rows, columns alike.
   */
  void upsampleNearest2x(Tensor x, Tensor out);

  /** Joins {@code [b, h, w, c_i]} along the channels. */
  void concatChannels(List<Tensor> parts, Tensor out);

  /**
   * Rows of a table.
   *
   * @param ids row numbers, {@code b * l} of them
   * @param out {@code [b, l, width]}
   */
  void embedding(int[] ids, PreparedWeight table, Tensor out);

  /** Frees everything, tensors still open included. Idempotent. */
  @Override
  void close();
}
