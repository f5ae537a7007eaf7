package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.cuda.kernels.LaunchSizes;
import io.github.distrifuser.tensor.Tensor;
import org.bytedeco.javacpp.FloatPointer;

/** Attention: cuDNN's where it has an engine, else a kernel of our own. */
final class AttentionOps implements AutoCloseable {
  private final CudaContext context;
  private final SdpaPlans plans;
  private final FloatPointer factor = new FloatPointer(1);

  AttentionOps(CudaContext context) {
    this.context = context;
    this.plans = new SdpaPlans(context);
  }

  void attention(Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    OperatorChecks.attention(context.dtype(), q, k, v, heads, out);
    if (out.shape().elements() == 0) {
      return;
    }
    SdpaPlans.Key key = SdpaPlans.Key.of(q, k, v, heads, out);
    boolean aligned = Address.alignment(q.address(), k.address(), v.address(), out.address()) >= 16;
    CudnnPlan plan = !causal && aligned && key.isEligible() ? plans.find(key) : null;
    if (plan == null) {
      own(key, q, k, v, scale, causal, out);
      return;
    }
    factor.put(scale);
    long[] addresses = {q.address(), k.address(), v.address(), out.address(), factor.address()};
    plan.execute(
        context.dnn(), SdpaPlans.IDS, addresses, context.workspace(plan.workspace(), "attention"));
  }

  private void own(
      SdpaPlans.Key a, Tensor q, Tensor k, Tensor v, float scale, boolean causal, Tensor out) {
    int heads = (int) a.heads();
    int valueWidth = (int) a.valueWidth();
    context
        .kernel(LaunchSizes.attentionKernel(valueWidth))
        .pointer(q)
        .pointer(k)
        .pointer(v)
        .pointer(out)
        .i64(a.batch(), a.queries(), a.keys())
        .i32(heads, a.width(), valueWidth)
        .f32(scale)
        .i32(causal ? 1 : 0)
        .i64(a.q().batchStride(), a.q().rowStride())
        .i64(a.k().batchStride(), a.k().rowStride())
        .i64(a.v().batchStride(), a.v().rowStride())
        .i64(a.out().batchStride(), a.out().rowStride())
        .blocks(
            context.compute(),
            LaunchSizes.attentionBlocks(a.batch(), heads, a.queries(), valueWidth));
  }

  @Override
  public void close() {
    plans.close();
    factor.close();
  }
}
