package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.Device;
import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.backend.MomentRule;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.StepGraph;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.cuda.comm.DeviceCommunicators;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One rank on a GPU. Operators return when they have been given to the device, which runs them in
 * the order of the calls; {@link #read} and {@link #synchronize} wait. An error of the device shows
 * in a later call, and whatever comes after it fails with the same.
 */
public final class CudaBackend implements Backend {
  private final Device device;
  private final CudaContext context;
  private final WeightUploads uploads;
  private final Copies copies;
  private final ProductOps products;
  private final ConvOps conv;
  private final NormOps norm;
  private final AttentionOps attention;
  private final ElementOps elements;
  private final StepCaptures captures;
  private volatile boolean closed;

  private CudaBackend(CudaContext context) {
    this.context = context;
    device = new Device("cuda", context.device());
    uploads = new WeightUploads(context);
    copies = new Copies(context);
    products = new ProductOps(context);
    conv = new ConvOps(context, products.plans(), CudaContext.LARGEST);
    norm = new NormOps(context);
    attention = new AttentionOps(context);
    elements = new ElementOps(context, copies);
    captures = new StepCaptures(context);
  }

  /**
   * A backend on a device.
   *
   * @throws IllegalArgumentException for a device that is not there
   * @throws CudaException where the device or a library cannot be used
   */
  static CudaBackend open(BackendOptions options) {
    Cuda.checkDevice(options.deviceIndex());
    if (Cuda.computeType(options.dtype()) != options.dtype()) {
      throw new IllegalArgumentException(
          "cuda:" + options.deviceIndex() + " does not compute in " + options.dtype());
    }
    return new CudaBackend(new CudaContext(options.deviceIndex(), options.dtype()));
  }

  /** For tests: what the operators share. */
  CudaContext context() {
    return context;
  }

  /** What each call begins with. */
  private void enter() {
    if (closed) {
      throw new IllegalStateException("backend is closed");
    }
    context.activate();
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public Device device() {
    return device;
  }

  @Override
  public DType dtype() {
    return context.dtype();
  }

  @Override
  public int threads() {
    return 1;
  }

  // --- memory ---

  @Override
  public Tensor allocate(DType type, Shape shape) {
    enter();
    long bytes = Math.multiplyExact(shape.elements(), (long) type.bytes());
    return Tensor.owning(context.memory().allocate(bytes, "a tensor " + type + shape), type, shape);
  }

  @Override
  public MemoryStats memory() {
    return context.memory().stats();
  }

  @Override
  public void trim() {
    enter();
    context.checkNotCapturing("trim");
    context.releaseWorkspace();
    context.memory().trim();
  }

  @Override
  public void write(float[] source, int offset, Tensor target) {
    enter();
    context.checkNotCapturing("write");
    OperatorChecks.array("write", source, offset, target);
    copies.write(source, offset, target);
  }

  @Override
  public void read(Tensor source, float[] target, int offset) {
    enter();
    context.checkNotCapturing("read");
    OperatorChecks.array("read", target, offset, source);
    copies.read(source, target, offset);
  }

  @Override
  public void copy(Tensor source, Tensor target) {
    enter();
    OperatorChecks.copy(source, target);
    copies.copy(source, target);
  }

  @Override
  public void fill(Tensor target, float value) {
    enter();
    copies.fill(target, value);
  }

  @Override
  public Communicator communicator(Communicator host) {
    enter();
    return DeviceCommunicators.connect(context, host);
  }

  @Override
  public void synchronize() {
    enter();
    context.checkNotCapturing("synchronize");
    context.synchronize();
  }

  @Override
  public boolean canCapture() {
    return true;
  }

  @Override
  public StepGraph capture(Supplier<Tensor> step) {
    enter();
    return captures.capture(step);
  }

  // --- weights ---

  @Override
  public PreparedWeight prepareLinear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    enter();
    return LinearWeight.of(name, parts, biases, uploads, splits);
  }

  @Override
  public PreparedWeight prepareConv2d(
      String name, WeightTensor weight, @Nullable WeightTensor bias) {
    enter();
    return ConvWeight.of(name, weight, bias, uploads);
  }

  @Override
  public PreparedWeight prepareNorm(String name, WeightTensor weight, WeightTensor bias) {
    enter();
    return NormWeight.of(name, weight, bias, uploads);
  }

  @Override
  public PreparedWeight prepareEmbedding(String name, WeightTensor table) {
    enter();
    return EmbeddingWeight.of(name, table, uploads);
  }

  // --- operators ---

  @Override
  public void linear(
      Tensor x, PreparedWeight w, Activation activation, @Nullable Tensor residual, Tensor out) {
    enter();
    products.linear(x, w, activation, residual, out);
  }

  @Override
  public void geglu(Tensor x, PreparedWeight w, Tensor out) {
    enter();
    products.geglu(x, w, out);
  }

  @Override
  public void conv2d(
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    enter();
    conv.conv2d(x, w, geometry, channelBias, residual, out);
  }

  @Override
  public void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out) {
    enter();
    norm.groupNorm(x, affine, groups, eps, activation, out);
  }

  @Override
  public void groupMoments(Tensor x, int groups, Tensor moments) {
    enter();
    norm.groupMoments(x, groups, moments);
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
    enter();
    norm.groupNormWith(x, moments, affine, groups, eps, activation, out);
  }

  @Override
  public void combineMoments(
      MomentRule rule, Tensor all, Tensor own, double[] weights, int index, Tensor out) {
    enter();
    OperatorChecks.combineMoments(all, own, weights, index, out);
    if (all.isDense() && own.isDense() && out.isDense()) {
      norm.combineMoments(rule, all, own, weights, index, out);
    } else {
      Backend.super.combineMoments(rule, all, own, weights, index, out);
    }
  }

  @Override
  public void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out) {
    enter();
    norm.layerNorm(x, affine, eps, out);
  }

  @Override
  public void attention(
      Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    enter();
    attention.attention(q, k, v, heads, scale, causal, out);
  }

  @Override
  public void activation(Tensor x, Activation activation, Tensor out) {
    enter();
    elements.activation(x, activation, out);
  }

  @Override
  public void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    enter();
    elements.addScaled(a, b, scale, out);
  }

  @Override
  public void scale(Tensor a, float factor, Tensor out) {
    enter();
    elements.scale(a, factor, out);
  }

  @Override
  public void upsampleNearest2x(Tensor x, Tensor out) {
    enter();
    elements.upsampleNearest2x(x, out);
  }

  @Override
  public void concatChannels(List<Tensor> parts, Tensor out) {
    enter();
    elements.concatChannels(parts, out);
  }

  @Override
  public void embedding(int[] ids, PreparedWeight table, Tensor out) {
    enter();
    elements.embedding(ids, table, out);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      context.memory().beginClosing();
      context.settle();
      captures.close();
      products.close();
      conv.close();
      norm.close();
      attention.close();
      context.close();
    }
  }
}
