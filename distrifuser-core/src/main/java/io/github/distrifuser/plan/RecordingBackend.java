package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.Device;
import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.backend.MomentRule;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Computes nothing: writes each operator down with its multiply-accumulates and the bytes that it
 * moves, and counts memory that is not there. Arguments are checked as by every backend. What is
 * read back are zeros.
 */
final class RecordingBackend implements Backend {
  private final DType dtype;
  private final StepRecorder recorder;
  private final ShapeMemory memory = new ShapeMemory();

  /**
   * A backend of one rank.
   *
   * @param dtype of activations and weights
   */
  RecordingBackend(DType dtype, StepRecorder recorder) {
    this.dtype = dtype;
    this.recorder = recorder;
  }

  @Override
  public String name() {
    return "recording";
  }

  @Override
  public Device device() {
    return new Device("none", 0);
  }

  @Override
  public DType dtype() {
    return dtype;
  }

  @Override
  public int threads() {
    return 1;
  }

  // --- memory ---

  @Override
  public Tensor allocate(DType type, Shape shape) {
    long bytes = Math.multiplyExact(shape.elements(), (long) type.bytes());
    return Tensor.owning(memory.allocate(bytes), type, shape);
  }

  @Override
  public MemoryStats memory() {
    return memory.stats();
  }

  @Override
  public void trim() {}

  @Override
  public void write(float[] source, int offset, Tensor target) {
    OperatorChecks.array("write", source, offset, target);
    recorder.compute(OperatorKind.HOST, "write", 0, target.byteSize());
  }

  @Override
  public void read(Tensor source, float[] target, int offset) {
    OperatorChecks.array("read", target, offset, source);
    Arrays.fill(target, offset, offset + Math.toIntExact(source.shape().elements()), 0);
    recorder.compute(OperatorKind.HOST, "read", 0, source.byteSize());
  }

  @Override
  public void copy(Tensor source, Tensor target) {
    OperatorChecks.copy(source, target);
    elementwise("copy", source, target);
  }

  @Override
  public void fill(Tensor target, float value) {
    elementwise("fill", target);
  }

  @Override
  public void synchronize() {}

  // --- weights ---

  private long weightBytes(Shape shape, boolean bias) {
    return (shape.elements() + (bias ? shape.dim(0) : 0)) * dtype.bytes();
  }

  @Override
  public PreparedWeight prepareLinear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    Shape s = WeightChecks.linear(name, parts, biases, splits);
    long[] cuts = WeightChecks.cuts(parts, splits);
    return new ShapeWeight(name, s, weightBytes(s, biases != null), cuts);
  }

  @Override
  public PreparedWeight prepareConv2d(
      String name, WeightTensor weight, @Nullable WeightTensor bias) {
    Shape s = WeightChecks.conv2d(weight, bias);
    return new ShapeWeight(name, s, weightBytes(s, bias != null));
  }

  @Override
  public PreparedWeight prepareNorm(String name, WeightTensor weight, WeightTensor bias) {
    Shape s = WeightChecks.norm(weight, bias);
    return new ShapeWeight(name, s, weightBytes(s, true));
  }

  @Override
  public PreparedWeight prepareEmbedding(String name, WeightTensor table) {
    Shape s = WeightChecks.embedding(table);
    return new ShapeWeight(name, s, weightBytes(s, false));
  }

  // --- operators ---

  private static long sum(@Nullable Tensor... tensors) {
    long bytes = 0;
    for (Tensor t : tensors) {
      bytes += t == null ? 0 : t.byteSize();
    }
    return bytes;
  }

  private void elementwise(String name, Tensor... tensors) {
    recorder.compute(OperatorKind.ELEMENTWISE, name, 0, sum(tensors));
  }

  private void norm(String name, long bytes) {
    recorder.compute(OperatorKind.NORM, name, 0, bytes);
  }

  /** Every row of the input meets every number of the weight. */
  private void product(PreparedWeight w, Tensor x, @Nullable Tensor residual, Tensor out) {
    long rows = x.shape().elements() / Math.max(1, x.shape().dim(-1));
    recorder.compute(
        OperatorKind.LINEAR,
        w.name(),
        rows * w.shape().elements(),
        w.bytes() + sum(x, residual, out));
  }

  @Override
  public void linear(
      Tensor x, PreparedWeight w, Activation activation, @Nullable Tensor residual, Tensor out) {
    OperatorChecks.linear(dtype, x, w, residual, out);
    product(w, x, residual, out);
  }

  @Override
  public void geglu(Tensor x, PreparedWeight w, Tensor out) {
    OperatorChecks.geglu(dtype, x, w, out);
    product(w, x, null, out);
  }

  @Override
  public void conv2d(
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    OperatorChecks.conv2d(dtype, x, w, geometry, channelBias, residual, out);
    long taps = w.shape().elements() / Math.max(1, w.shape().dim(0));
    recorder.compute(
        OperatorKind.CONVOLUTION,
        w.name(),
        out.shape().elements() * taps,
        w.bytes() + sum(x, channelBias, residual, out));
  }

  @Override
  public void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out) {
    OperatorChecks.groupNorm(dtype, x, affine, groups, out);
    norm(affine.name(), 2 * x.byteSize() + out.byteSize()); // moments first
  }

  @Override
  public void groupMoments(Tensor x, int groups, Tensor moments) {
    OperatorChecks.groupMoments(dtype, x, groups, moments);
    norm("groupMoments", sum(x, moments));
  }

  @Override
  public void groupNormWith(
      Tensor x,
      Tensor moments,
      PreparedWeight affine,
      int groups,
      float eps,
      Activation activation,
      Tensor out) {
    OperatorChecks.groupNormWith(dtype, x, moments, affine, groups, out);
    norm(affine.name(), sum(x, moments, out));
  }

  @Override
  public void combineMoments(
      MomentRule rule, Tensor all, Tensor own, double[] weights, int index, Tensor out) {
    OperatorChecks.combineMoments(all, own, weights, index, out);
    norm("combineMoments", sum(all, own, out));
  }

  @Override
  public void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out) {
    OperatorChecks.layerNorm(dtype, x, affine, out);
    norm(affine.name(), sum(x, out));
  }

  @Override
  public void attention(
      Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    OperatorChecks.attention(dtype, q, k, v, heads, out);
    long pairs = q.shape().dim(0) * q.shape().dim(1) * k.shape().dim(1);
    recorder.compute(
        OperatorKind.ATTENTION,
        "attention",
        pairs * (q.shape().dim(2) + v.shape().dim(2)),
        sum(q, k, v, out));
  }

  @Override
  public void activation(Tensor x, Activation activation, Tensor out) {
    OperatorChecks.activation(dtype, x, out);
    elementwise("activation", x, out);
  }

  @Override
  public void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    OperatorChecks.addScaled(dtype, a, b, out);
    elementwise("addScaled", a, b, out);
  }

  @Override
  public void scale(Tensor a, float factor, Tensor out) {
    OperatorChecks.scale(dtype, a, out);
    elementwise("scale", a, out);
  }

  @Override
  public void upsampleNearest2x(Tensor x, Tensor out) {
    OperatorChecks.upsampleNearest2x(dtype, x, out);
    elementwise("upsampleNearest2x", x, out);
  }

  @Override
  public void concatChannels(List<Tensor> parts, Tensor out) {
    OperatorChecks.concatChannels(dtype, parts, out);
    elementwise("concatChannels", out, out);
  }

  @Override
  public void embedding(int[] ids, PreparedWeight table, Tensor out) {
    OperatorChecks.embedding(dtype, ids, table, out);
    elementwise("embedding", out, out);
  }

  @Override
  public void close() {}
}
