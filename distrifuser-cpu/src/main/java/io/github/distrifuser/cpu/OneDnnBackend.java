package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.Device;
import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One rank on the CPU. Every operator has run when its method returns. Weights are kept in the type
 * in which they are found where oneDNN computes with it at full speed.
 */
public final class OneDnnBackend implements Backend {
  private static final Device DEVICE = new Device("cpu", 0);

  private final DType dtype;
  private final int threads;
  private final SlabAllocator allocator = new SlabAllocator();
  private final TensorMemory memory = new TensorMemory(allocator);
  private final DnnContext context;
  private final MatmulOps matmul;
  private final ConvOps conv;
  private final NormOps norm;
  private final AttentionOps attention;
  private final HostKernels host;
  private final GroupMoments moments;
  private volatile boolean closed;

  /**
   * @throws IllegalArgumentException for a type of activations that this CPU has no instructions
   *     for, a device other than 0, or a thread count where it cannot be chosen
   * @throws IllegalStateException where oneDNN cannot be loaded
   */
  OneDnnBackend(BackendOptions options) {
    OneDnn.engine();
    if (options.deviceIndex() != 0) {
      throw new IllegalArgumentException("there is one CPU device, not " + options.deviceIndex());
    }
    if (ComputeTypes.of(options.dtype()) != options.dtype()) {
      throw new IllegalArgumentException(
          "this CPU computes in "
              + ComputeTypes.of(options.dtype())
              + ", not in "
              + options.dtype());
    }
    if (options.threads() > 0 && !OmpThreads.canSet()) {
      throw new IllegalArgumentException(
          "threads cannot be chosen with this OpenMP library: leave them at 0");
    }
    dtype = options.dtype();
    threads = options.threads() > 0 ? options.threads() : OmpThreads.defaultThreads();
    context = new DnnContext(dtype, threads, allocator);
    matmul = new MatmulOps(context);
    conv = new ConvOps(context, options.winograd());
    norm = new NormOps(context);
    host = new HostKernels(context.workers());
    moments = new GroupMoments(context);
    attention = new AttentionOps(context, host);
  }

  /** For tests: shared state of the operators. */
  DnnContext context() {
    return context;
  }

  @Override
  public String name() {
    return "onednn";
  }

  @Override
  public Device device() {
    return DEVICE;
  }

  @Override
  public DType dtype() {
    return dtype;
  }

  @Override
  public int threads() {
    return threads;
  }

  // --- memory ---

  @Override
  public Tensor allocate(DType type, Shape shape) {
    Checks.state(!closed);
    long bytes = Math.multiplyExact(shape.elements(), (long) type.bytes());
    return Tensor.owning(memory.allocate(bytes), type, shape);
  }

  @Override
  public MemoryStats memory() {
    return memory.stats();
  }

  @Override
  public void trim() {
    Checks.state(!closed);
    context.releaseScratch();
    allocator.trim();
  }

  @Override
  public void write(float[] source, int offset, Tensor target) {
    Checks.state(!closed);
    OperatorChecks.array("write", source, offset, target);
    host.write(source, offset, target);
  }

  @Override
  public void read(Tensor source, float[] target, int offset) {
    Checks.state(!closed);
    OperatorChecks.array("read", target, offset, source);
    host.read(source, target, offset);
  }

  @Override
  public void copy(Tensor source, Tensor target) {
    Checks.state(!closed);
    OperatorChecks.copy(source, target);
    host.copy(source, target);
  }

  @Override
  public void fill(Tensor target, float value) {
    Checks.state(!closed);
    host.fill(target, value);
  }

  @Override
  public void synchronize() {
    Checks.state(!closed);
  }

  // --- weights ---

  @Override
  public PreparedWeight prepareLinear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    Checks.state(!closed);
    return matmul.prepare(name, parts, biases, WeightTypes.linear(dtype, parts, splits), splits);
  }

  @Override
  public PreparedWeight prepareConv2d(
      String name, WeightTensor weight, @Nullable WeightTensor bias) {
    Checks.state(!closed);
    if (weight.shape().rank() != 4) {
      throw new IllegalArgumentException(
          weight.source()
              + ": "
              + weight.name()
              + ": expected [out, in, kh, kw], found "
              + weight.shape());
    }
    return conv.prepare(name, weight, bias, WeightTypes.convolution(dtype, weight.dtype()));
  }

  @Override
  public PreparedWeight prepareNorm(String name, WeightTensor weight, WeightTensor bias) {
    Checks.state(!closed);
    return new NormWeight(name, weight, bias);
  }

  @Override
  public PreparedWeight prepareEmbedding(String name, WeightTensor table) {
    Checks.state(!closed);
    return new EmbeddingWeight(name, table);
  }

  // --- operators ---

  @Override
  public void linear(
      Tensor x, PreparedWeight w, Activation activation, @Nullable Tensor residual, Tensor out) {
    Checks.state(!closed);
    LinearWeight weight = Checks.weight("linear", LinearWeight.class, w);
    OperatorChecks.linear(dtype, x, w, residual, out);
    matmul.linear(x, weight, activation, residual, out);
  }

  @Override
  public void geglu(Tensor x, PreparedWeight w, Tensor out) {
    Checks.state(!closed);
    LinearWeight weight = Checks.weight("geglu", LinearWeight.class, w);
    OperatorChecks.geglu(dtype, x, w, out);
    long half = weight.out() / 2;
    matmul.geglu(
        x, (LinearWeight) weight.rows(0, half), (LinearWeight) weight.rows(half, 2 * half), out);
  }

  @Override
  public void conv2d(
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    Checks.state(!closed);
    ConvWeight weight = Checks.weight("conv2d", ConvWeight.class, w);
    OperatorChecks.conv2d(dtype, x, w, geometry, channelBias, residual, out);
    conv.conv2d(x, weight, geometry, channelBias, residual, out);
  }

  @Override
  public void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out) {
    Checks.state(!closed);
    NormWeight w = Checks.weight("groupNorm", NormWeight.class, affine);
    OperatorChecks.groupNorm(dtype, x, affine, groups, out);
    // oneDNN's own moments are summed in float32, which costs accuracy where means are large
    try (Tensor own = allocate(DType.F32, Shape.of(x.shape().dim(0), groups, 2))) {
      moments.moments(x, groups, own);
      norm.groupNorm(x, own, w, groups, eps, activation, out);
    }
  }

  @Override
  public void groupMoments(Tensor x, int groups, Tensor result) {
    Checks.state(!closed);
    OperatorChecks.groupMoments(dtype, x, groups, result);
    moments.moments(x, groups, result);
  }

  @Override
  public void groupNormWith(
      Tensor x,
      Tensor given,
      PreparedWeight affine,
      int groups,
      float eps,
      Activation activation,
      Tensor out) {
    Checks.state(!closed);
    NormWeight w = Checks.weight("groupNormWith", NormWeight.class, affine);
    OperatorChecks.groupNormWith(dtype, x, given, affine, groups, out);
    norm.groupNorm(x, given, w, groups, eps, activation, out);
  }

  @Override
  public void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out) {
    Checks.state(!closed);
    NormWeight w = Checks.weight("layerNorm", NormWeight.class, affine);
    OperatorChecks.layerNorm(dtype, x, affine, out);
    norm.layerNorm(x, w, eps, out);
  }

  @Override
  public void attention(
      Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    Checks.state(!closed);
    OperatorChecks.attention(dtype, q, k, v, heads, out);
    attention.attention(q, k, v, heads, scale, causal, out);
  }

  @Override
  public void activation(Tensor x, Activation activation, Tensor out) {
    Checks.state(!closed);
    OperatorChecks.activation(dtype, x, out);
    norm.activation(x, activation, out);
  }

  @Override
  public void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    Checks.state(!closed);
    OperatorChecks.addScaled(dtype, a, b, out);
    host.addScaled(a, b, scale, out);
  }

  @Override
  public void scale(Tensor a, float factor, Tensor out) {
    Checks.state(!closed);
    OperatorChecks.scale(dtype, a, out);
    host.scale(a, factor, out);
  }

  @Override
  public void upsampleNearest2x(Tensor x, Tensor out) {
    Checks.state(!closed);
    OperatorChecks.upsampleNearest2x(dtype, x, out);
    host.upsampleNearest2x(x, out);
  }

  @Override
  public void concatChannels(List<Tensor> parts, Tensor out) {
    Checks.state(!closed);
    OperatorChecks.concatChannels(dtype, parts, out);
    long at = 0;
    for (Tensor p : parts) {
      host.copy(p, out.slice(3, at, at + p.shape().dim(3)));
      at += p.shape().dim(3);
    }
  }

  @Override
  public void embedding(int[] ids, PreparedWeight table, Tensor out) {
    Checks.state(!closed);
    EmbeddingWeight w = Checks.weight("embedding", EmbeddingWeight.class, table);
    OperatorChecks.embedding(dtype, ids, table, out);
    host.embedding(ids, w, out);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      conv.close();
      context.close();
      memory.close();
      allocator.close();
    }
  }
}
