package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.Device;
import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.reference.ReferenceWeight.Kind;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Every operator in plain Java on one thread: reads its arguments into float arrays, computes, and
 * writes the result. Activations are F32; weights of any floating-point type are widened when they
 * are prepared. Memory is on the Java heap, so {@link Tensor#address()} has no answer, and one
 * tensor holds at most 2 GiB.
 */
public final class ReferenceBackend implements Backend {
  static final String NAME = "reference";

  private final HeapMemory heap = new HeapMemory();

  /**
   * A backend of its own memory.
   *
   * @param options F32 and device 0; the number of threads is an upper limit and one is used
   * @throws IllegalArgumentException for another type or device
   */
  public ReferenceBackend(BackendOptions options) {
    if (options.dtype() != DType.F32) {
      throw new IllegalArgumentException(
          "the reference backend computes in F32 only, not " + options.dtype());
    }
    if (options.deviceIndex() != 0) {
      throw new IllegalArgumentException(
          "the reference backend has device 0 only, not " + options.deviceIndex());
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Device device() {
    return new Device("cpu", 0);
  }

  @Override
  public DType dtype() {
    return DType.F32;
  }

  @Override
  public int threads() {
    return 1;
  }

  // --- memory ---

  @Override
  public Tensor allocate(DType dtype, Shape shape) {
    long bytes = Math.multiplyExact(shape.elements(), (long) dtype.bytes());
    return Tensor.owning(heap.allocate(bytes, dtype + shape.toString()), dtype, shape);
  }

  @Override
  public MemoryStats memory() {
    return heap.stats();
  }

  @Override
  public void trim() {
    heap.trim();
  }

  @Override
  public void write(float[] source, int offset, Tensor target) {
    OperatorChecks.array("write", source, offset, target);
    Elements.write(source, offset, target);
  }

  @Override
  public void read(Tensor source, float[] target, int offset) {
    OperatorChecks.array("read", target, offset, source);
    Elements.read(source, target, offset);
  }

  @Override
  public void copy(Tensor source, Tensor target) {
    OperatorChecks.copy(source, target);
    if (source.dtype() == target.dtype()) {
      Elements.copyBytes(source, target);
    } else {
      Elements.write(Elements.read(source), target);
    }
  }

  @Override
  public void fill(Tensor target, float value) {
    float[] all = new float[Math.toIntExact(target.shape().elements())];
    Arrays.fill(all, value);
    Elements.write(all, target);
  }

  @Override
  public void synchronize() {
    heap.checkOpen();
  }

  // --- weights ---

  @Override
  public PreparedWeight prepareLinear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    return WeightPreparation.linear(name, parts, biases, splits);
  }

  @Override
  public PreparedWeight prepareConv2d(
      String name, WeightTensor weight, @Nullable WeightTensor bias) {
    return WeightPreparation.conv2d(name, weight, bias);
  }

  @Override
  public PreparedWeight prepareNorm(String name, WeightTensor weight, WeightTensor bias) {
    return WeightPreparation.norm(name, weight, bias);
  }

  @Override
  public PreparedWeight prepareEmbedding(String name, WeightTensor table) {
    return WeightPreparation.embedding(name, table);
  }

  // --- operators ---

  @Override
  public void linear(
      Tensor x, PreparedWeight w, Activation activation, @Nullable Tensor residual, Tensor out) {
    ReferenceWeight weight = ReferenceWeight.of(w, Kind.LINEAR);
    OperatorChecks.linear(dtype(), x, w, residual, out);
    int in = x.size(-1);
    float[] y = Products.linear(Elements.read(x), rows(x), in, weight);
    Functions.apply(activation, y);
    if (residual != null) {
      add(y, Elements.read(residual));
    }
    Elements.write(y, out);
  }

  @Override
  public void geglu(Tensor x, PreparedWeight w, Tensor out) {
    ReferenceWeight weight = ReferenceWeight.of(w, Kind.LINEAR);
    OperatorChecks.geglu(dtype(), x, w, out);
    long half = w.shape().dim(0) / 2;
    PreparedWeight value = weight.rows(0, half);
    PreparedWeight gate = weight.rows(half, 2 * half);
    float[] data = Elements.read(x);
    int in = x.size(-1);
    float[] v = Products.linear(data, rows(x), in, ReferenceWeight.of(value, Kind.LINEAR));
    float[] g = Products.linear(data, rows(x), in, ReferenceWeight.of(gate, Kind.LINEAR));
    for (int i = 0; i < v.length; i++) {
      v[i] = (float) (v[i] * Functions.gelu(g[i]));
    }
    Elements.write(v, out);
  }

  private static int rows(Tensor t) {
    int rows = 1;
    for (int i = 0; i < t.shape().rank() - 1; i++) {
      rows = Math.multiplyExact(rows, t.size(i));
    }
    return rows;
  }

  private static void add(float[] to, float[] more) {
    for (int i = 0; i < to.length; i++) {
      to[i] += more[i];
    }
  }

  @Override
  public void conv2d(
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    ReferenceWeight weight = ReferenceWeight.of(w, Kind.CONV2D);
    OperatorChecks.conv2d(dtype(), x, w, geometry, channelBias, residual, out);
    float[] y = Products.conv2d(Elements.read(x), x.shape(), weight, geometry, out.shape());
    if (channelBias != null) {
      float[] more = Elements.read(channelBias); // [b, out]
      int channels = out.size(3);
      int perBatch = out.size(1) * out.size(2) * channels;
      for (int i = 0; i < y.length; i++) {
        y[i] += more[i / perBatch * channels + i % channels];
      }
    }
    if (residual != null) {
      add(y, Elements.read(residual));
    }
    Elements.write(y, out);
  }

  @Override
  public void groupNorm(
      Tensor x, PreparedWeight affine, int groups, float eps, Activation activation, Tensor out) {
    ReferenceWeight weight = ReferenceWeight.of(affine, Kind.NORM);
    OperatorChecks.groupNorm(dtype(), x, affine, groups, out);
    float[] data = Elements.read(x);
    double[] m = Norms.groupMoments(data, x.size(0), pixels(x), x.size(-1), groups);
    Norms.groupNorm(data, x.size(0), pixels(x), x.size(-1), m, weight, eps);
    Functions.apply(activation, data);
    Elements.write(data, out);
  }

  @Override
  public void groupMoments(Tensor x, int groups, Tensor moments) {
    OperatorChecks.groupMoments(dtype(), x, groups, moments);
    double[] m = Norms.groupMoments(Elements.read(x), x.size(0), pixels(x), x.size(-1), groups);
    float[] f = new float[m.length];
    for (int i = 0; i < m.length; i++) {
      f[i] = (float) m[i];
    }
    Elements.write(f, moments);
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
    ReferenceWeight weight = ReferenceWeight.of(affine, Kind.NORM);
    OperatorChecks.groupNormWith(dtype(), x, moments, affine, groups, out);
    float[] f = Elements.read(moments);
    double[] m = new double[f.length];
    for (int i = 0; i < f.length; i++) {
      m[i] = f[i];
    }
    float[] data = Elements.read(x);
    Norms.groupNorm(data, x.size(0), pixels(x), x.size(-1), m, weight, eps);
    Functions.apply(activation, data);
    Elements.write(data, out);
  }

  /** Positions of a feature map or of tokens. */
  private static int pixels(Tensor x) {
    return x.shape().rank() == 4 ? x.size(1) * x.size(2) : x.size(1);
  }

  @Override
  public void layerNorm(Tensor x, PreparedWeight affine, float eps, Tensor out) {
    ReferenceWeight weight = ReferenceWeight.of(affine, Kind.NORM);
    OperatorChecks.layerNorm(dtype(), x, affine, out);
    float[] data = Elements.read(x);
    Norms.layerNorm(data, rows(x), x.size(-1), weight, eps);
    Elements.write(data, out);
  }

  @Override
  public void attention(
      Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    OperatorChecks.attention(dtype(), q, k, v, heads, out);
    int queries = q.size(1);
    int keys = k.size(1);
    int all = q.size(2);
    int allValues = v.size(2);
    int width = all / heads;
    int valueWidth = allValues / heads;
    float[] qs = Elements.read(q);
    float[] ks = Elements.read(k);
    float[] vs = Elements.read(v);
    float[] y = new float[Math.toIntExact(out.shape().elements())];
    HeadAttention head = new HeadAttention(width, valueWidth, keys);
    for (int b = 0; b < q.size(0); b++) {
      for (int h = 0; h < heads; h++) {
        head.load(
            ks,
            b * keys * all + h * width,
            all,
            vs,
            b * keys * allValues + h * valueWidth,
            allValues);
        for (int i = 0; i < queries; i++) {
          int visible = causal ? Math.min(keys, i + 1) : keys;
          int row = b * queries + i;
          head.query(
              qs, row * all + h * width, scale, visible, y, row * allValues + h * valueWidth);
        }
      }
    }
    Elements.write(y, out);
  }

  @Override
  public void activation(Tensor x, Activation activation, Tensor out) {
    OperatorChecks.activation(dtype(), x, out);
    float[] data = Elements.read(x);
    Functions.apply(activation, data);
    Elements.write(data, out);
  }

  @Override
  public void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    OperatorChecks.addScaled(dtype(), a, b, out);
    float[] y = Elements.read(a);
    float[] more = Elements.read(b);
    for (int i = 0; i < y.length; i++) {
      y[i] += more[i] * scale;
    }
    Elements.write(y, out);
  }

  @Override
  public void scale(Tensor a, float factor, Tensor out) {
    OperatorChecks.scale(dtype(), a, out);
    float[] y = Elements.read(a);
    for (int i = 0; i < y.length; i++) {
      y[i] *= factor;
    }
    Elements.write(y, out);
  }

  @Override
  public void upsampleNearest2x(Tensor x, Tensor out) {
    OperatorChecks.upsampleNearest2x(dtype(), x, out);
    float[] from = Elements.read(x);
    float[] to = new float[Math.toIntExact(out.shape().elements())];
    int channels = x.size(3);
    int at = 0;
    for (int b = 0; b < x.size(0); b++) {
      for (int oy = 0; oy < out.size(1); oy++) {
        for (int ox = 0; ox < out.size(2); ox++, at += channels) {
          int pixel = (b * x.size(1) + oy / 2) * x.size(2) + ox / 2;
          System.arraycopy(from, pixel * channels, to, at, channels);
        }
      }
    }
    Elements.write(to, out);
  }

  @Override
  public void concatChannels(List<Tensor> parts, Tensor out) {
    OperatorChecks.concatChannels(dtype(), parts, out);
    long channel = 0;
    for (Tensor p : parts) {
      long end = channel + p.shape().dim(-1);
      Elements.write(Elements.read(p), out.slice(-1, channel, end));
      channel = end;
    }
  }

  @Override
  public void embedding(int[] ids, PreparedWeight table, Tensor out) {
    ReferenceWeight weight = ReferenceWeight.of(table, Kind.EMBEDDING);
    OperatorChecks.embedding(dtype(), ids, table, out);
    int width = out.size(-1);
    float[] y = new float[ids.length * width];
    for (int i = 0; i < ids.length; i++) {
      System.arraycopy(weight.values(), ids[i] * width, y, i * width, width);
    }
    Elements.write(y, out);
  }

  @Override
  public void close() {
    heap.close();
  }
}
