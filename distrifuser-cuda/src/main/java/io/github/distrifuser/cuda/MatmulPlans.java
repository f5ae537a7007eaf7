package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_BIAS;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_EPILOGUE;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSA;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmul;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulAlgoGetHeuristic;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescSetAttribute;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceSetAttribute;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutSetAttribute;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16BF;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16F;
import static org.bytedeco.cuda.global.cudart.CUDA_R_32F;

import io.github.distrifuser.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;

/**
 * Products {@code out = x W^T + bias + residual} by cuBLASLt, summed in fp32. The algorithm that
 * its heuristics name for a shape is kept.
 *
 * <p>cuBLASLt's matrices are column-major: its D is our output turned, its A the weight, its B the
 * input, and its bias, one number a row, is one a channel.
 */
final class MatmulPlans implements AutoCloseable {
  /** What NVIDIA recommends for Hopper; older GPUs take less. */
  private static final long WORKSPACE = 32L << 20;

  private final CudaContext context;
  private final long largest;
  private final int type;
  private final Map<Key, Plan> plans = new HashMap<>();
  private final FloatPointer unit = new FloatPointer(1f);
  private final FloatPointer zero = new FloatPointer(0f);
  private final LongPointer biasPointer = new LongPointer(1);
  private final Address weight = new Address();
  private final Address input = new Address();
  private final Address added = new Address();
  private final Address output = new Address();
  private final Address workspace = new Address();

  /**
   * @param largest elements between the ends of an operand of one call; what is larger is taken in
   *     pieces
   */
  MatmulPlans(CudaContext context, long largest) {
    this.context = context;
    this.largest = largest;
    this.type = type(context.dtype());
  }

  private static int type(DType dtype) {
    return switch (dtype) {
      case F32 -> CUDA_R_32F;
      case F16 -> CUDA_R_16F;
      case BF16 -> CUDA_R_16BF;
      default -> throw new IllegalArgumentException("no products in " + dtype);
    };
  }

  /**
   * A matrix in device memory.
   *
   * @param rows all of them at equal distances within each batch
   */
  record Operand(long address, RowView rows) {

    /** Rows of one batch. */
    Operand part(long batch, long from, long n, int elementBytes) {
      long at = batch * rows.batchStride() + from * rows.rowStride();
      RowView part = new RowView(1, n, rows.channels(), n * rows.rowStride(), rows.rowStride());
      return new Operand(address + at * elementBytes, part);
    }

    /** All rows as one batch, where they are at one distance. */
    Operand merged() {
      return new Operand(address, rows.merged());
    }
  }

  /** All that an algorithm depends on; alignments of weight, input, residual, output in bytes. */
  private record Key(
      long out,
      long in,
      RowView x,
      RowView residual,
      RowView y,
      boolean bias,
      boolean adds,
      int alignW,
      int alignX,
      int alignR,
      int alignY) {}

  private record Plan(
      cublasLtMatmulDescOpaque_t desc,
      cublasLtMatrixLayoutOpaque_t w,
      cublasLtMatrixLayoutOpaque_t x,
      cublasLtMatrixLayoutOpaque_t residual,
      cublasLtMatrixLayoutOpaque_t y,
      cublasLtMatmulHeuristicResult_t result,
      cublasLtMatmulAlgo_t algorithm,
      long workspace) {}

  /**
   * Multiplies.
   *
   * @param w address of {@code [out, in]}
   * @param bias address of {@code [out]}, or 0
   * @param residual or null; may be the output
   * @param name of the layer, for messages
   */
  void multiply(
      long w, long bias, long out, Operand x, @Nullable Operand residual, Operand y, String name) {
    if (y.rows.allRows() == 0) {
      return;
    }
    Operand r = residual == null ? y : residual;
    boolean uniform = x.rows.isUniform() && r.rows.isUniform() && y.rows.isUniform();
    if (uniform) {
      multiplyParts(w, bias, out, x.merged(), r.merged(), y.merged(), residual != null, name);
    } else {
      multiplyParts(w, bias, out, x, r, y, residual != null, name);
    }
  }

  /** Multiplies at once, or in pieces what is too large for that. */
  private void multiplyParts(
      long w, long bias, long out, Operand x, Operand r, Operand y, boolean adds, String name) {
    if (extent(x, r, y) <= largest) {
      run(w, bias, out, x, r, y, adds, name);
      return;
    }
    int each = context.dtype().bytes();
    long step = Math.max(x.rows.rowStride(), Math.max(r.rows.rowStride(), y.rows.rowStride()));
    long most = Math.max(1, largest / step);
    for (long b = 0; b < y.rows.batches(); b++) {
      for (long from = 0; from < y.rows.rows(); from += most) {
        long n = Math.min(most, y.rows.rows() - from);
        run(
            w,
            bias,
            out,
            x.part(b, from, n, each),
            r.part(b, from, n, each),
            y.part(b, from, n, each),
            adds,
            name);
      }
    }
  }

  /** Elements between the ends of the largest of the operands. */
  private static long extent(Operand... operands) {
    long most = 0;
    for (Operand o : operands) {
      RowView v = o.rows;
      most = Math.max(most, (v.batches() - 1) * v.batchStride() + v.rows() * v.rowStride());
    }
    return most;
  }

  private void run(
      long w, long bias, long out, Operand x, Operand r, Operand y, boolean adds, String name) {
    Key key =
        new Key(
            out,
            x.rows.channels(),
            x.rows,
            r.rows,
            y.rows,
            bias != 0,
            adds,
            Address.alignment(w),
            Address.alignment(x.address),
            Address.alignment(r.address),
            Address.alignment(y.address, bias)); // of the bias nothing else can be said
    Plan plan = plans.get(key);
    if (plan == null) {
      plan = plan(key, bias, name);
      plans.put(key, plan);
    }
    if (bias != 0) {
      setBias(plan.desc, bias);
    }
    int status =
        cublasLtMatmul(
            context.blas(),
            plan.desc,
            unit,
            weight.of(w),
            plan.w,
            input.of(x.address),
            plan.x,
            adds ? unit : zero,
            added.of(r.address),
            plan.residual,
            output.of(y.address),
            plan.y,
            plan.algorithm,
            workspace.of(context.workspace(plan.workspace, "matrix products")),
            plan.workspace,
            context.compute().handle());
    if (status != 0) {
      CudaErrors.checkBlas(status, "cublasLtMatmul for " + name + " " + key);
    }
  }

  private void setBias(cublasLtMatmulDescOpaque_t desc, long bias) {
    biasPointer.put(bias);
    CudaErrors.checkBlas(
        cublasLtMatmulDescSetAttribute(
            desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, biasPointer, Long.BYTES),
        "setting a bias");
  }

  private Plan plan(Key key, long bias, String name) {
    cublasLtMatmulDescOpaque_t desc;
    try (Handle h = new Handle()) {
      CudaErrors.checkBlas(
          cublasLtMatmulDescCreate(h.list, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "cublasLtMatmulDescCreate");
      desc = new cublasLtMatmulDescOpaque_t(h.list.get(0));
    }
    set(desc, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    if (key.bias) {
      set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      setBias(desc, bias);
    }
    cublasLtMatrixLayoutOpaque_t w = layout(key.in, key.out, key.in, (int) key.x.batches(), 0);
    cublasLtMatrixLayoutOpaque_t x = layout(key.in, key.x);
    cublasLtMatrixLayoutOpaque_t r = layout(key.out, key.residual);
    cublasLtMatrixLayoutOpaque_t y = layout(key.out, key.y);
    cublasLtMatmulHeuristicResult_t result = new cublasLtMatmulHeuristicResult_t();
    int[] found = new int[1];
    cublasLtMatmulPreferenceOpaque_t preference = preference(key);
    int status =
        cublasLtMatmulAlgoGetHeuristic(
            context.blas(), desc, w, x, r, y, preference, 1, result, found);
    cublasLtMatmulPreferenceDestroy(preference);
    Plan plan = new Plan(desc, w, x, r, y, result, result.algo(), result.workspaceSize());
    if (status != 0 || found[0] == 0) {
      close(plan);
      CudaErrors.checkBlas(
          status == 0 ? 15 : status, "search of an algorithm for " + name + " " + key);
    }
    return plan;
  }

  private cublasLtMatrixLayoutOpaque_t layout(long channels, RowView rows) {
    return layout(
        channels, rows.rows(), rows.rowStride(), (int) rows.batches(), rows.batchStride());
  }

  private cublasLtMatrixLayoutOpaque_t layout(
      long rows, long columns, long leading, int batches, long batchStride) {
    try (Handle h = new Handle();
        IntPointer count = new IntPointer(new int[] {batches});
        LongPointer stride = new LongPointer(new long[] {batchStride})) {
      CudaErrors.checkBlas(
          cublasLtMatrixLayoutCreate(h.list, type, rows, columns, leading),
          "cublasLtMatrixLayoutCreate");
      cublasLtMatrixLayoutOpaque_t l = new cublasLtMatrixLayoutOpaque_t(h.list.get(0));
      if (batches != 1) {
        CudaErrors.checkBlas(
            cublasLtMatrixLayoutSetAttribute(
                l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count, Integer.BYTES),
            "setting a number of batches");
        CudaErrors.checkBlas(
            cublasLtMatrixLayoutSetAttribute(
                l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride, Long.BYTES),
            "setting a distance of batches");
      }
      return l;
    }
  }

  private cublasLtMatmulPreferenceOpaque_t preference(Key key) {
    int[] alignments = {key.alignW, key.alignX, key.alignR, key.alignY};
    try (Handle h = new Handle();
        LongPointer most = new LongPointer(new long[] {WORKSPACE});
        IntPointer number = new IntPointer(1)) {
      CudaErrors.checkBlas(
          cublasLtMatmulPreferenceCreate(h.list), "cublasLtMatmulPreferenceCreate");
      cublasLtMatmulPreferenceOpaque_t p = new cublasLtMatmulPreferenceOpaque_t(h.list.get(0));
      cublasLtMatmulPreferenceSetAttribute(
          p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most, Long.BYTES);
      // Partial sums in 16 bits would overflow where the whole does not.
      number.put(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
      cublasLtMatmulPreferenceSetAttribute(
          p, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, number, Integer.BYTES);
      for (int i = 0; i < alignments.length; i++) {
        number.put(alignments[i]);
        cublasLtMatmulPreferenceSetAttribute(
            p, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES + i, number, Integer.BYTES);
      }
      return p;
    }
  }

  private static void set(cublasLtMatmulDescOpaque_t desc, int attribute, int value) {
    try (IntPointer p = new IntPointer(new int[] {value})) {
      CudaErrors.checkBlas(
          cublasLtMatmulDescSetAttribute(desc, attribute, p, Integer.BYTES),
          "setting attribute " + attribute);
    }
  }

  /** Room for one handle that a call makes. */
  private static final class Handle implements AutoCloseable {
    final PointerPointer<Pointer> list = new PointerPointer<>(1);

    @Override
    public void close() {
      list.close();
    }
  }

  private static void close(Plan p) {
    cublasLtMatmulDescDestroy(p.desc);
    for (cublasLtMatrixLayoutOpaque_t l :
        new cublasLtMatrixLayoutOpaque_t[] {p.w, p.x, p.residual, p.y}) {
      cublasLtMatrixLayoutDestroy(l);
    }
    p.result.close();
  }

  @Override
  public void close() {
    plans.values().forEach(MatmulPlans::close);
    plans.clear();
    unit.close();
    zero.close();
    biasPointer.close();
  }
}
