package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.cuda.MatmulPlans.Operand;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Linear layers. */
final class ProductOps implements AutoCloseable {
  private final CudaContext context;
  private final MatmulPlans plans;

  ProductOps(CudaContext context) {
    this.context = context;
    this.plans = new MatmulPlans(context, CudaContext.LARGEST);
  }

  MatmulPlans plans() {
    return plans;
  }

  void linear(
      Tensor x, PreparedWeight w, Activation activation, @Nullable Tensor residual, Tensor out) {
    LinearWeight.Rows rows = LinearWeight.Rows.of("linear", w);
    rows.whole().await(context);
    OperatorChecks.linear(context.dtype(), x, w, residual, out);
    multiply(rows, operand(x), activation, residual == null ? null : operand(residual), out);
  }

  static Operand operand(Tensor t) {
    return new Operand(t.address(), RowView.of(t));
  }

  /** The product, then the activation and the residual behind it. */
  private void multiply(
      LinearWeight.Rows w,
      Operand x,
      Activation activation,
      @Nullable Operand residual,
      Tensor out) {
    Operand y = operand(out);
    if (activation == Activation.NONE) {
      plans.multiply(w.address(), w.biasAddress(), w.out(), x, residual, y, w.name());
      return;
    }
    if (residual == null || residual.address() != y.address()) {
      plans.multiply(w.address(), w.biasAddress(), w.out(), x, null, y, w.name());
      epilogue(y, 0, residual, y, activation);
      return;
    }
    // the residual lies where the product would go
    try (Tensor product = temporary(out.shape(), w.name())) {
      Operand p = operand(product);
      plans.multiply(w.address(), w.biasAddress(), w.out(), x, null, p, w.name());
      epilogue(p, 0, residual, y, activation);
    }
  }

  private Tensor temporary(Shape shape, String name) {
    long bytes = Math.multiplyExact(shape.elements(), (long) context.dtype().bytes());
    return Tensor.owning(
        context.memory().allocate(bytes, "the product " + shape + " of " + name),
        context.dtype(),
        shape);
  }

  /** {@code out = activation(x + bias) + residual}; addresses of 0 are left out. */
  private void epilogue(
      Operand x, long bias, @Nullable Operand residual, Operand out, Activation activation) {
    RowView r = residual == null ? out.rows() : residual.rows();
    context
        .kernel("epilogue")
        .pointer(x.address())
        .pointer(bias)
        .pointer(0)
        .pointer(residual == null ? 0 : residual.address())
        .pointer(out.address())
        .i64(out.rows().allRows(), out.rows().rows())
        .i32(out.rows().channels())
        .i64(x.rows().batchStride(), x.rows().rowStride())
        .i64(0)
        .i64(r.batchStride(), r.rowStride())
        .i64(out.rows().batchStride(), out.rows().rowStride())
        .i32(activation.ordinal())
        .elements(context.compute(), out.rows().allRows() * out.rows().channels());
  }

  void geglu(Tensor x, PreparedWeight w, Tensor out) {
    LinearWeight.Rows rows = LinearWeight.Rows.of("geglu", w);
    rows.whole().await(context);
    OperatorChecks.geglu(context.dtype(), x, w, out);
    long half = rows.out() / 2;
    rows.rows(0, half); // refuses a weight that may not be cut there
    try (Tensor both = temporary(x.shape().with(-1, rows.out()), w.name())) {
      multiply(rows, operand(x), Activation.NONE, null, both);
      RowView from = RowView.of(both);
      RowView to = RowView.of(out);
      context
          .kernel("geglu")
          .pointer(both)
          .pointer(out)
          .i64(to.allRows(), to.rows())
          .i32(half)
          .i64(from.batchStride(), from.rowStride(), to.batchStride(), to.rowStride())
          .elements(context.compute(), to.allRows() * half);
    }
  }

  @Override
  public void close() {
    plans.close();
  }
}
