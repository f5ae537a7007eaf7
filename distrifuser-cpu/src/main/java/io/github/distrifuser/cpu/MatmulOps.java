package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_mul;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_destroy;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.jspecify.annotations.Nullable;

/** Linear layers, as matrix multiplications with transposed weights. */
final class MatmulOps {
  /** Rows of a GEGLU's gate that are computed at a time, so that they stay in the caches. */
  private static final long GATE_ROWS = 256;

  private final DnnContext context;

  MatmulOps(DnnContext context) {
    this.context = context;
  }

  /** What is done with a product before it is stored. */
  private enum Tail {
    NONE,
    /** Adds what the destination holds. */
    SUM,
    /** Adds another matrix. */
    ADD,
    /** Multiplies with another matrix. */
    MULTIPLY
  }

  /** All that a matrix multiplication's code depends on. */
  private record Key(
      long rows,
      long in,
      long out,
      long xStride,
      long outStride,
      long operandStride,
      DType dtype,
      DType weightType,
      @Nullable BlockedLayout layout,
      boolean bias,
      Activation activation,
      Tail tail) {}

  /** Rows with which {@link #isFast} asks. */
  private static final long TYPICAL_ROWS = 64;

  /** Rows for which a layout is chosen. */
  private static final long MANY_ROWS = 512;

  /**
   * Packs a weight into blocks where it and activations have 16 bits, for else oneDNN brings pairs
   * of its elements together in each call. Under activations in float32 packing gains little, loses
   * for some shapes (docs/PERFORMANCE.md), and would copy what a mapped file holds.
   *
   * @param dtype type to keep the weight in
   */
  LinearWeight prepare(
      String name,
      List<WeightTensor> parts,
      @Nullable List<WeightTensor> biases,
      DType dtype,
      long... splits) {
    OmpThreads.use(context.threads());
    boolean packed = dtype == context.dtype() && dtype != DType.F32;
    return new LinearWeight(name, parts, biases, dtype, packed, context.workers(), splits);
  }

  /**
   * The layout that oneDNN wants for a weight of the activations' type.
   *
   * @throws DnnPrimitive.NotFastException where it has no fast code
   */
  static Md layout(DType dtype, long in, long out) {
    try (Md any = Md.any(dtype, in, out)) {
      return WeightLayout.wanted(
          describe(dtype, MANY_ROWS, any, dtype + " in any layout", in, out));
    }
  }

  /** Whether this CPU multiplies activations with weights {@code [out, in]} of a type fast. */
  static boolean isFast(DType activations, DType weights, long in, long out) {
    try (Md w = Md.strided(weights, new long[] {in, out}, new long[] {1, in})) {
      return isFast(activations, w, weights.toString(), in, out);
    }
  }

  /**
   * The same with weights that lie in a certain way.
   *
   * @param weights of {@code [in, out]}
   * @param what they are, for messages
   */
  static boolean isFast(DType activations, Md weights, String what, long in, long out) {
    try {
      dnnl_primitive_desc_destroy(describe(activations, TYPICAL_ROWS, weights, what, in, out));
      return true;
    } catch (DnnPrimitive.NotFastException e) {
      return false;
    }
  }

  private static dnnl_primitive_desc describe(
      DType activations, long rows, Md weights, String what, long in, long out) {
    try (Attr attr = new Attr();
        Md x = Md.dense(activations, rows, in);
        Md bias = Md.dense(DType.F32, 1, out);
        Md y = Md.dense(activations, rows, out)) {
      return DnnPrimitive.describe(
          "matmul of %s [%d, %d] with %s [%d, %d]".formatted(activations, rows, in, what, out, in),
          attr,
          (pd, a) ->
              dnnl_matmul_primitive_desc_create(
                  pd, OneDnn.engine(), x.handle(), weights.handle(), bias.handle(), y.handle(), a),
          false);
    }
  }

  /** {@code out = activation(x W^T + b) + residual}, for tensors whose leading shapes agree. */
  void linear(
      Tensor x, LinearWeight w, Activation activation, @Nullable Tensor residual, Tensor out) {
    Matrix mx = Matrix.of(x);
    Matrix mo = Matrix.of(out);
    Matrix mr = residual == null ? null : Matrix.of(residual);
    if (mx != null && mo != null && (residual == null || mr != null)) {
      linear(mx, w, activation, mr, mo);
      return;
    }
    for (int b = 0; b < x.size(0); b++) {
      linear(
          x.slice(0, b, b + 1),
          w,
          activation,
          residual == null ? null : residual.slice(0, b, b + 1),
          out.slice(0, b, b + 1));
    }
  }

  private void linear(
      Matrix x, LinearWeight w, Activation activation, @Nullable Matrix residual, Matrix out) {
    if (x.rows() == 0) {
      return;
    }
    Tail tail = Tail.NONE;
    if (residual != null) {
      tail = residual.sameLayout(out) ? Tail.SUM : Tail.ADD;
    }
    multiply(x, w, activation, tail, residual, out);
  }

  /** {@code out = v * gelu(g)} where {@code [v, g] = x W^T + b}. */
  void geglu(Tensor x, LinearWeight value, LinearWeight gate, Tensor out) {
    Matrix mx = Matrix.of(x);
    Matrix mo = Matrix.of(out);
    if (mx == null || mo == null) {
      for (int b = 0; b < x.size(0); b++) {
        geglu(x.slice(0, b, b + 1), value, gate, out.slice(0, b, b + 1));
      }
      return;
    }
    long half = value.out();
    for (long r = 0; r < mx.rows(); r += GATE_ROWS) {
      long n = Math.min(GATE_ROWS, mx.rows() - r);
      long bytes = n * half * mx.dtype().bytes();
      long address = context.scratch(DnnContext.Scratch.GATE, bytes).address();
      Matrix g = new Matrix(address, mx.dtype(), n, half, half);
      Matrix part = mx.rows(r, n);
      multiply(part, gate, Activation.GELU, Tail.NONE, null, g);
      multiply(part, value, Activation.NONE, Tail.MULTIPLY, g, mo.rows(r, n));
    }
  }

  private void multiply(
      Matrix x,
      LinearWeight w,
      Activation activation,
      Tail tail,
      @Nullable Matrix operand,
      Matrix out) {
    WeightLayout packed = w.layout();
    Key key =
        new Key(
            x.rows(),
            x.columns(),
            out.columns(),
            x.stride(),
            out.stride(),
            operand == null || tail == Tail.SUM ? 0 : operand.stride(),
            x.dtype(),
            w.dtype(),
            packed == null ? null : packed.layout(),
            w.hasBias(),
            activation,
            tail);
    DnnPrimitive p = context.primitive(key, () -> create(key, x, packed, out, operand));
    long weight = w.address();
    if (tail == Tail.ADD || tail == Tail.MULTIPLY) {
      long second = operand == null ? 0 : operand.address();
      if (key.bias) {
        context.run(p, x.address(), weight, out.address(), w.biasAddress(), second);
      } else {
        context.run(p, x.address(), weight, out.address(), second);
      }
    } else if (key.bias) {
      context.run(p, x.address(), weight, out.address(), w.biasAddress());
    } else {
      context.run(p, x.address(), weight, out.address());
    }
  }

  private static DnnPrimitive create(
      Key k, Matrix x, @Nullable WeightLayout packed, Matrix out, @Nullable Matrix operand) {
    int[] arguments = new int[3 + (k.bias ? 1 : 0)];
    arguments[0] = DNNL_ARG_SRC;
    arguments[1] = DNNL_ARG_WEIGHTS;
    arguments[2] = DNNL_ARG_DST;
    if (k.bias) {
      arguments[3] = DNNL_ARG_BIAS;
    }
    try (Attr attr = new Attr();
        Md src = x.md();
        Md weights =
            packed == null
                ? Md.strided(k.weightType, new long[] {k.in, k.out}, new long[] {1, k.in})
                : Md.copyOf(packed.md().handle());
        Md dst = out.md();
        Md bias = Md.dense(DType.F32, 1, k.out);
        Md second = operand == null ? out.md() : operand.md()) {
      attr.activation(k.activation);
      switch (k.tail) {
        case SUM -> attr.sum();
        case ADD -> arguments = append(arguments, attr.binary(dnnl_binary_add, second));
        case MULTIPLY -> arguments = append(arguments, attr.binary(dnnl_binary_mul, second));
        case NONE -> {}
      }
      dnnl_memory_desc noBias = new dnnl_memory_desc();
      return new DnnPrimitive(
          "matmul " + k,
          attr,
          (pd, a) ->
              dnnl_matmul_primitive_desc_create(
                  pd,
                  OneDnn.engine(),
                  src.handle(),
                  weights.handle(),
                  k.bias ? bias.handle() : noBias,
                  dst.handle(),
                  a),
          arguments);
    }
  }

  private static int[] append(int[] list, int value) {
    int[] longer = java.util.Arrays.copyOf(list, list.length + 1);
    longer[list.length] = value;
    return longer;
  }
}
