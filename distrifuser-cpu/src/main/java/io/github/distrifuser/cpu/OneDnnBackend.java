package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.Device;
import io.github.distrifuser.backend.MemoryStats;
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
    if (options.dtype() != DType.F32) {
      throw new IllegalArgumentException(
          "this CPU backend computes in F32, not in " + options.dtype());
    }
    if (options.threads() > 0 && !OmpThreads.canSet()) {
      throw new IllegalArgumentException(
          "threads cannot be chosen with this OpenMP library: leave them at 0");
    }
    dtype = options.dtype();
    threads = options.threads() > 0 ? options.threads() : OmpThreads.defaultThreads();
    context = new DnnContext(dtype, threads, allocator);
    matmul = new MatmulOps(context);
    conv = new ConvOps(context);
    norm = new NormOps(context);
    host = new HostKernels(context.workers());
    moments = new GroupMoments(context.workers());
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
    checkRange("write", source.length, offset, target);
    host.write(source, offset, target);
  }

  @Override
  public void read(Tensor source, float[] target, int offset) {
    Checks.state(!closed);
    checkRange("read", target.length, offset, source);
    host.read(source, target, offset);
  }

  private static void checkRange(String op, int length, int offset, Tensor t) {
    if (offset < 0 || t.shape().elements() > length - offset) {
      throw new IllegalArgumentException(
          op + ": " + t.shape() + " does not fit " + length + " floats from " + offset);
    }
  }

  @Override
  public void copy(Tensor source, Tensor target) {
    Checks.state(!closed);
    Checks.shape("copy", "target", source.shape(), target);
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
    return new LinearWeight(name, parts, biases, WeightTypes.linear(dtype, parts), splits);
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
    linearShapes("linear", x, weight, weight.out(), out);
    if (residual != null) {
      Checks.dtype("linear", dtype, residual);
      Checks.shape("linear", "residual", out.shape(), residual);
      Checks.denseRows("linear", "residual", residual);
    }
    matmul.linear(x, weight, activation, residual, out);
  }

  @Override
  public void geglu(Tensor x, PreparedWeight w, Tensor out) {
    Checks.state(!closed);
    LinearWeight weight = Checks.weight("geglu", LinearWeight.class, w);
    if (weight.out() % 2 != 0) {
      throw new IllegalArgumentException(
          "geglu: " + w.name() + ": expected an even number of rows, found " + weight.shape());
    }
    long half = weight.out() / 2;
    linearShapes("geglu", x, weight, half, out);
    matmul.geglu(
        x, (LinearWeight) weight.rows(0, half), (LinearWeight) weight.rows(half, 2 * half), out);
  }

  private void linearShapes(String op, Tensor x, LinearWeight w, long columns, Tensor out) {
    Checks.dtype(op, dtype, x, out);
    if (x.shape().rank() < 1 || x.shape().dim(-1) != w.in()) {
      throw new IllegalArgumentException(
          op + ": " + w.name() + ": expected [.., " + w.in() + "], found " + x.shape());
    }
    Checks.shape(op + ": " + w.name(), "out", x.shape().with(-1, columns), out);
    Checks.denseRows(op, "x", x);
    Checks.denseRows(op, "out", out);
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
    String op = "conv2d: " + w.name();
    ConvWeight weight = Checks.weight("conv2d", ConvWeight.class, w);
    Shape s = weight.shape();
    Checks.dtype(op, dtype, x, out);
    Checks.rank(op, "x", 4, x);
    Checks.shape(op, "x", x.shape().with(3, s.dim(1)), x);
    long oh = geometry.outHeight(x.size(1), s.size(2));
    long ow = geometry.outWidth(x.size(2), s.size(3));
    Shape expected = Shape.of(x.shape().dim(0), Math.max(0, oh), Math.max(0, ow), s.dim(0));
    Checks.shape(op, "out", expected, out);
    Checks.denseEntries(op, "x", x);
    Checks.denseEntries(op, "out", out);
    if (channelBias != null) {
      Checks.dtype(op, dtype, channelBias);
      Checks.shape(op, "channelBias", Shape.of(x.shape().dim(0), s.dim(0)), channelBias);
      Checks.denseEntries(op, "channelBias", channelBias);
    }
    if (residual != null) {
      Checks.dtype(op, dtype, residual);
      Checks.shape(op, "residual", expected, residual);
      Checks.denseEntries(op, "residual", residual);
    }
    conv.conv2d(x, weight, geometry, channelBias, residual, out);
  }

  @Override
  public void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out) {
    Checks.state(!closed);
    NormWeight w = Checks.weight("groupNorm", NormWeight.class, affine);
    groupShapes("groupNorm", x, groups, out);
    normShapes("groupNorm", x, w, out);
    norm.groupNorm(x, null, w, groups, eps, activation, out);
  }

  @Override
  public void groupMoments(Tensor x, int groups, Tensor result) {
    Checks.state(!closed);
    Checks.dtype("groupMoments", dtype, x);
    groupShapes("groupMoments", x, groups, x);
    momentsShape("groupMoments", x, groups, result);
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
    groupShapes("groupNormWith", x, groups, out);
    normShapes("groupNormWith", x, w, out);
    momentsShape("groupNormWith", x, groups, given);
    norm.groupNorm(x, given, w, groups, eps, activation, out);
  }

  @Override
  public void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out) {
    Checks.state(!closed);
    NormWeight w = Checks.weight("layerNorm", NormWeight.class, affine);
    normShapes("layerNorm", x, w, out);
    norm.layerNorm(x, w, eps, out);
  }

  private static void groupShapes(String op, Tensor x, int groups, Tensor out) {
    if (x.shape().rank() < 3) {
      throw new IllegalArgumentException(op + ": expected [b, .., c], found " + x.shape());
    }
    if (groups < 1 || x.shape().dim(-1) % groups != 0) {
      throw new IllegalArgumentException(
          op + ": " + x.shape().dim(-1) + " channels in " + groups + " groups");
    }
    Checks.denseEntries(op, "x", x);
    Checks.denseEntries(op, "out", out);
  }

  private void normShapes(String op, Tensor x, NormWeight w, Tensor out) {
    Checks.dtype(op, dtype, x, out);
    Checks.shape(op, "out", x.shape(), out);
    if (x.shape().rank() < 1 || x.shape().dim(-1) != w.shape().dim(0)) {
      throw new IllegalArgumentException(
          op + ": " + w.name() + ": expected [.., " + w.shape().dim(0) + "], found " + x.shape());
    }
    Checks.denseEntries(op, "x", x);
    Checks.denseEntries(op, "out", out);
  }

  private static void momentsShape(String op, Tensor x, int groups, Tensor m) {
    Checks.dtype(op, DType.F32, m);
    Checks.shape(op, "moments", Shape.of(x.shape().dim(0), groups, 2), m);
    if (!m.isDense()) {
      throw new IllegalArgumentException(op + ": moments: expected no gaps, found " + m);
    }
  }

  @Override
  public void attention(
      Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    Checks.state(!closed);
    for (Tensor t : List.of(q, k, v, out)) {
      Checks.rank("attention", "q, k, v, out", 3, t);
      Checks.dtype("attention", dtype, t);
      Checks.denseRows("attention", "q, k, v, out", t);
    }
    if (heads < 1 || q.shape().dim(2) % heads != 0 || v.shape().dim(2) % heads != 0) {
      throw new IllegalArgumentException(
          "attention: " + heads + " heads for q " + q.shape() + " and v " + v.shape());
    }
    long batch = q.shape().dim(0);
    Checks.shape("attention", "k", Shape.of(batch, k.shape().dim(1), q.shape().dim(2)), k);
    Checks.shape("attention", "v", Shape.of(batch, k.shape().dim(1), v.shape().dim(2)), v);
    Checks.shape("attention", "out", Shape.of(batch, q.shape().dim(1), v.shape().dim(2)), out);
    attention.attention(q, k, v, heads, scale, causal, out);
  }

  @Override
  public void activation(Tensor x, Activation activation, Tensor out) {
    Checks.state(!closed);
    Checks.dtype("activation", dtype, x, out);
    Checks.shape("activation", "out", x.shape(), out);
    Checks.denseEntries("activation", "x", x);
    Checks.denseEntries("activation", "out", out);
    norm.activation(x, activation, out);
  }

  @Override
  public void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    Checks.state(!closed);
    Checks.shape("addScaled", "b", a.shape(), b);
    Checks.shape("addScaled", "out", a.shape(), out);
    host.addScaled(a, b, scale, out);
  }

  @Override
  public void scale(Tensor a, float factor, Tensor out) {
    Checks.state(!closed);
    Checks.shape("scale", "out", a.shape(), out);
    host.scale(a, factor, out);
  }

  @Override
  public void upsampleNearest2x(Tensor x, Tensor out) {
    Checks.state(!closed);
    Checks.rank("upsampleNearest2x", "x", 4, x);
    Checks.rank("upsampleNearest2x", "out", 4, out);
    Checks.dtype("upsampleNearest2x", x.dtype(), out);
    Shape s = x.shape();
    long oh = out.shape().dim(1) == 2 * s.dim(1) - 1 ? 2 * s.dim(1) - 1 : 2 * s.dim(1);
    long ow = out.shape().dim(2) == 2 * s.dim(2) - 1 ? 2 * s.dim(2) - 1 : 2 * s.dim(2);
    Checks.shape("upsampleNearest2x", "out", Shape.of(s.dim(0), oh, ow, s.dim(3)), out);
    Checks.denseEntries("upsampleNearest2x", "x", x);
    Checks.denseEntries("upsampleNearest2x", "out", out);
    host.upsampleNearest2x(x, out);
  }

  @Override
  public void concatChannels(List<Tensor> parts, Tensor out) {
    Checks.state(!closed);
    Checks.rank("concatChannels", "out", 4, out);
    long channels = parts.stream().mapToLong(p -> p.shape().dim(-1)).sum();
    Checks.shape("concatChannels", "out", out.shape().with(3, channels), out);
    long at = 0;
    for (Tensor p : parts) {
      Checks.shape("concatChannels", "part", out.shape().with(3, p.shape().dim(-1)), p);
      host.copy(p, out.slice(3, at, at + p.shape().dim(3)));
      at += p.shape().dim(3);
    }
  }

  @Override
  public void embedding(int[] ids, PreparedWeight table, Tensor out) {
    Checks.state(!closed);
    EmbeddingWeight w = Checks.weight("embedding", EmbeddingWeight.class, table);
    Checks.rank("embedding", "out", 3, out);
    Checks.shape("embedding", "out", out.shape().with(2, w.shape().dim(1)), out);
    Checks.denseRows("embedding", "out", out);
    if (out.shape().dim(0) * out.shape().dim(1) != ids.length) {
      throw new IllegalArgumentException(
          "embedding: " + ids.length + " ids for an output of " + out.shape());
    }
    for (int id : ids) {
      w.checkId(id);
    }
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
