package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.MomentRule;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.cuda.kernels.LaunchSizes;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Group and layer normalisation. */
final class NormOps implements AutoCloseable {
  private final CudaContext context;
  private final Map<List<Double>, Long> shares = new HashMap<>(); // of patches, on the device

  NormOps(CudaContext context) {
    this.context = context;
  }

  void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out) {
    NormWeight w = WeightKinds.of("groupNorm", NormWeight.class, affine);
    w.await(context);
    OperatorChecks.groupNorm(context.dtype(), x, affine, groups, out);
    long batch = x.shape().dim(0);
    try (DeviceStorage moments = floats(batch * groups * 2, "moments")) {
      moments(x, groups, moments.address());
      apply(x, moments.address(), w, groups, eps, activation, out);
    }
  }

  void groupMoments(Tensor x, int groups, Tensor moments) {
    OperatorChecks.groupMoments(context.dtype(), x, groups, moments);
    moments(x, groups, moments.address());
  }

  void groupNormWith(
      Tensor x,
      Tensor moments,
      PreparedWeight affine,
      int groups,
      float eps,
      Activation activation,
      Tensor out) {
    NormWeight w = WeightKinds.of("groupNormWith", NormWeight.class, affine);
    w.await(context);
    OperatorChecks.groupNormWith(context.dtype(), x, moments, affine, groups, out);
    apply(x, moments.address(), w, groups, eps, activation, out);
  }

  private DeviceStorage floats(long n, String what) {
    return context.memory().allocate(n * Float.BYTES, what);
  }

  /** Positions of a feature map or of tokens. */
  private static long pixels(Tensor x) {
    return x.shape().rank() == 4 ? x.shape().dim(1) * x.shape().dim(2) : x.shape().dim(1);
  }

  private void moments(Tensor x, int groups, long moments) {
    long batch = x.shape().dim(0);
    long pixels = pixels(x);
    int chunks = LaunchSizes.momentChunks(pixels);
    try (DeviceStorage partial =
        floats(LaunchSizes.momentFloats(batch, pixels, groups), "partial moments")) {
      context
          .kernel("groupMomentsPartial")
          .pointer(x)
          .pointer(partial.address())
          .i64(batch, pixels)
          .i32(x.size(-1), groups)
          .i64(x.stride(0))
          .i32(chunks)
          .blocks(context.compute(), batch * chunks);
      context
          .kernel("groupMomentsFinish", null)
          .pointer(partial.address())
          .pointer(moments)
          .i64(batch)
          .i32(chunks, groups)
          .warps(context.compute(), batch * groups);
    }
  }

  private void apply(
      Tensor x,
      long moments,
      NormWeight w,
      int groups,
      float eps,
      Activation activation,
      Tensor out) {
    context
        .kernel("groupNormApply")
        .pointer(x)
        .pointer(moments)
        .pointer(w.address())
        .pointer(w.biasAddress())
        .pointer(out)
        .i64(x.shape().dim(0), pixels(x))
        .i32(x.size(-1), groups)
        .i64(x.stride(0), out.stride(0))
        .f32(eps)
        .i32(activation.ordinal())
        .elements(context.compute(), x.shape().elements());
  }

  /** Dense tensors only. */
  void combineMoments(
      MomentRule rule, Tensor all, Tensor own, double[] weights, int index, Tensor out) {
    long share =
        shares.computeIfAbsent(Arrays.stream(weights).boxed().toList(), k -> send(weights));
    long count = own.shape().elements() / 2;
    context
        .kernel("combineMoments", null)
        .pointer(all)
        .pointer(own)
        .pointer(share)
        .pointer(out)
        .i64(count)
        .i32(weights.length, index, rule.ordinal())
        .elements(context.compute(), count);
  }

  /** Doubles on the device, until the backend is closed. */
  private long send(double[] values) {
    long bytes = (long) values.length * Double.BYTES;
    long address = context.memory().borrow(bytes, context.compute(), "shares of patches");
    context
        .staging()
        .send(
            bytes,
            (from, to) ->
                to.asDoubleBuffer()
                    .put(values, (int) from / Double.BYTES, to.remaining() / Double.BYTES),
            address,
            context.compute());
    return address;
  }

  void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out) {
    NormWeight w = WeightKinds.of("layerNorm", NormWeight.class, affine);
    w.await(context);
    OperatorChecks.layerNorm(context.dtype(), x, affine, out);
    RowView from = RowView.of(x);
    RowView to = RowView.of(out);
    context
        .kernel("layerNorm")
        .pointer(x)
        .pointer(w.address())
        .pointer(w.biasAddress())
        .pointer(out)
        .i64(from.allRows(), from.rows())
        .i32(from.channels())
        .i64(from.batchStride(), from.rowStride(), to.batchStride(), to.rowStride())
        .f32(eps)
        .warps(context.compute(), from.allRows());
  }

  @Override
  public void close() {
    shares.values().forEach(a -> context.memory().giveBack(a, context.compute()));
    shares.clear();
  }
}
