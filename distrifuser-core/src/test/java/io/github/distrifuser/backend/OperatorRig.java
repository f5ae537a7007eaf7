package io.github.distrifuser.backend;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.reference.ReferenceBackend;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A backend beside the reference, with the same seeded random tensors and weights on both. On the
 * backend under test a tensor may lie with gaps; on the reference it is dense. Outputs begin as
 * {@link #STALE} everywhere, gaps included, and gaps must stay so.
 */
public final class OperatorRig {
  static final float STALE = 77;

  final Backend tested;
  final Backend reference = new ReferenceBackend(BackendOptions.defaults());
  private final Tolerance tolerance;
  private final Random random = new Random(20240229);
  private final List<Runnable> opened = new ArrayList<>();

  OperatorRig(Backend tested, Tolerance tolerance) {
    this.tested = tested;
    this.tolerance = tolerance;
  }

  /**
   * One tensor on both backends.
   *
   * @param outer the larger tensor that holds {@code tested}
   */
  record Pair(Tensor tested, Tensor expected, Layout layout, Tensor outer) {}

  /** One weight on both backends. */
  record Weights(PreparedWeight tested, PreparedWeight expected) {
    Weights rows(long from, long to) {
      return new Weights(tested.rows(from, to), expected.rows(from, to));
    }
  }

  // --- tensors ---

  /** Normally distributed floats. */
  float[] randoms(long n, double scale, double shift) {
    float[] f = new float[Math.toIntExact(n)];
    for (int i = 0; i < f.length; i++) {
      f[i] = (float) (random.nextGaussian() * scale + shift);
    }
    return f;
  }

  /** Normally distributed numbers that the activations' type holds exactly. */
  Pair input(Layout layout, long... dims) {
    Shape shape = Shape.of(dims);
    return input(layout, shape, randoms(shape.elements(), 1, 0));
  }

  Pair input(Layout layout, Shape shape, float[] values) {
    Pair p = stale(layout, shape);
    tested.write(values, 0, p.tested);
    reference.write(tested.toFloats(p.tested), 0, p.expected);
    return p;
  }

  /** A tensor to be written. */
  Pair output(Layout layout, long... dims) {
    return stale(layout, Shape.of(dims));
  }

  private Pair stale(Layout layout, Shape shape) {
    Tensor outer = tested.allocate(tested.dtype(), layout.around(shape));
    own(outer);
    tested.fill(outer, STALE);
    Tensor expected = reference.allocate(DType.F32, shape);
    reference.fill(expected, STALE);
    return new Pair(layout.within(outer, shape), expected, layout, outer);
  }

  /** A dense F32 tensor on both, whatever the activations' type. */
  Pair floats(Shape shape, float[] values) {
    Tensor t = tested.allocate(DType.F32, shape);
    own(t);
    tested.write(values, 0, t);
    Tensor expected = reference.allocate(DType.F32, shape);
    reference.write(values, 0, expected);
    return new Pair(t, expected, Layout.DENSE, t);
  }

  // --- weights ---

  /** A weight tensor; the 16-bit types hold the nearest numbers. */
  static WeightTensor weight(String name, DType dtype, Shape shape, float[] values) {
    ByteBuffer data =
        ByteBuffer.allocateDirect(values.length * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (float f : values) {
      switch (dtype) {
        case F32 -> data.putFloat(f);
        case F16 -> data.putShort(HalfFloats.floatToF16(f));
        case BF16 -> data.putShort(HalfFloats.floatToBf16(f));
        default -> throw new IllegalArgumentException("no weights of type " + dtype);
      }
    }
    return new WeightTensor(name, "test.safetensors", dtype, shape, data.flip());
  }

  private WeightTensor random(String name, DType dtype, double scale, double shift, long... dims) {
    Shape shape = Shape.of(dims);
    return weight(name, dtype, shape, randoms(shape.elements(), scale, shift));
  }

  /** F32 rows with biases: one part for each of {@code outs}. */
  Weights linear(long in, long... outs) {
    return linear(DType.F32, true, in, outs);
  }

  /** One part for each of {@code outs}, scaled so that outputs have deviation 1. */
  Weights linear(DType dtype, boolean bias, long in, long... outs) {
    List<WeightTensor> parts = new ArrayList<>();
    List<WeightTensor> biases = new ArrayList<>();
    for (long out : outs) {
      parts.add(random("m.weight", dtype, Math.sqrt(1.0 / in), 0, out, in));
      biases.add(random("m.bias", dtype, 1, 0, out));
    }
    return linear(parts, bias ? biases : null);
  }

  Weights linear(List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    return both(
        tested.prepareLinear("m", parts, biases, splits),
        reference.prepareLinear("m", parts, biases, splits));
  }

  /** Square kernels, scaled so that outputs have deviation 1. */
  Weights conv(DType dtype, boolean bias, long in, long out, long k) {
    WeightTensor w = random("m.weight", dtype, Math.sqrt(1.0 / (in * k * k)), 0, out, in, k, k);
    WeightTensor b = bias ? random("m.bias", dtype, 1, 0, out) : null;
    return both(tested.prepareConv2d("m", w, b), reference.prepareConv2d("m", w, b));
  }

  Weights norm(DType dtype, long channels) {
    WeightTensor w = random("m.weight", dtype, 0.3, 1, channels);
    WeightTensor b = random("m.bias", dtype, 0.5, 0, channels);
    return both(tested.prepareNorm("m", w, b), reference.prepareNorm("m", w, b));
  }

  Weights embedding(DType dtype, long entries, long width) {
    WeightTensor t = random("m.weight", dtype, 1, 0, entries, width);
    return both(tested.prepareEmbedding("m", t), reference.prepareEmbedding("m", t));
  }

  private Weights both(PreparedWeight t, PreparedWeight e) {
    own(t);
    return new Weights(t, e);
  }

  /** Closes a tensor with the rig. */
  Tensor own(Tensor t) {
    opened.add(t::close);
    return t;
  }

  /** Closes a prepared weight with the rig. */
  PreparedWeight own(PreparedWeight w) {
    opened.add(w::close);
    return w;
  }

  // --- results ---

  void check(Pair out, Object what) {
    check(out, tolerance, what);
  }

  /** Compares the results and looks into the gaps. */
  void check(Pair out, Tolerance limits, Object what) {
    close(reference.toFloats(out.expected), tested.toFloats(out.tested), limits, what);
    float[] outer = tested.toFloats(out.outer);
    try (Tensor mask = reference.allocate(DType.F32, out.outer.shape())) {
      reference.fill(mask, 1);
      reference.fill(out.layout.within(mask, out.tested.shape()), 0);
      float[] gap = reference.toFloats(mask);
      for (int i = 0; i < outer.length; i++) {
        if (gap[i] == 1) {
          assertEquals(STALE, outer[i], what + ": gap at " + i + " of " + out.outer);
        }
      }
    }
  }

  /** Compares with values that the caller knows, within the backend's tolerance. */
  void close(float[] expected, Tensor actual, Object what) {
    close(expected, tested.toFloats(actual), tolerance, what);
  }

  private static void close(float[] expected, float[] actual, Tolerance limits, Object what) {
    assertAllClose(expected, actual, limits.atol(), limits.rtol(), what);
  }

  Tolerance tolerance() {
    return tolerance;
  }

  /** Closes everything; what was allocated must be back. */
  void close() {
    opened.forEach(Runnable::run);
    MemoryStats memory = tested.memory();
    tested.close();
    reference.close();
    assertEquals(
        Arrays.asList(0L, 0L),
        Arrays.asList(memory.liveTensors(), memory.liveBytes()),
        "live tensors and bytes after all was closed");
  }
}
