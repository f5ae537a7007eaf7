package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.cuda.ConvPlans.Fusion;
import io.github.distrifuser.cuda.MatmulPlans.Operand;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Convolutions: those of one pixel are products; others are cuDNN's, and where it has no engine,
 * products of the images' patches.
 */
final class ConvOps implements AutoCloseable {
  /** Bytes of patches that are laid out at once. */
  private static final long COLUMNS = 64L << 20;

  private final CudaContext context;
  private final MatmulPlans products;
  private final ConvPlans plans;
  private final long largest;

  /**
   * @param largest elements of a tensor that cuDNN is given at once
   */
  ConvOps(CudaContext context, MatmulPlans products, long largest) {
    this.context = context;
    this.products = products;
    this.largest = largest;
    this.plans = new ConvPlans(context);
  }

  void conv2d(
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    ConvWeight weight = WeightKinds.of("conv2d", ConvWeight.class, w);
    weight.await(context);
    OperatorChecks.conv2d(context.dtype(), x, w, geometry, channelBias, residual, out);
    if (out.shape().elements() == 0) {
      return;
    }
    // What is fused may be written before the residual has been read where both lie in one place.
    boolean apart = residual == null || residual.address() != out.address();
    if (isProduct(weight, geometry)) {
      if (channelBias == null) {
        product(x, weight, weight.biasAddress(), residual, out);
      } else if (apart) {
        product(x, weight, weight.biasAddress(), null, out);
        add(out, 0, channelBias, residual, out);
      } else {
        elsewhere(x, weight, geometry, channelBias, residual, out);
      }
    } else if (apart) {
      convolveParts(x, weight, geometry, channelBias, residual, out);
    } else {
      elsewhere(x, weight, geometry, channelBias, residual, out);
    }
  }

  private static boolean isProduct(ConvWeight w, Conv2dGeometry g) {
    return w.kernelHeight() == 1
        && w.kernelWidth() == 1
        && g.stride() == 1
        && g.top() + g.bottom() + g.left() + g.right() == 0;
  }

  /** For a residual in the output's place. */
  private void elsewhere(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    long bytes = Math.multiplyExact(out.shape().elements(), (long) context.dtype().bytes());
    try (Tensor y =
        Tensor.owning(
            context.memory().allocate(bytes, "the convolution " + out.shape() + " of " + w.name()),
            context.dtype(),
            out.shape())) {
      if (isProduct(w, geometry)) {
        product(x, w, w.biasAddress(), null, y);
      } else {
        convolveParts(x, w, geometry, null, null, y);
      }
      add(y, 0, channelBias, residual, out);
    }
  }

  /** Of pixels as rows. */
  private void product(Tensor x, ConvWeight w, long bias, @Nullable Tensor residual, Tensor out) {
    products.multiply(
        w.address(),
        bias,
        w.out(),
        ProductOps.operand(x),
        residual == null ? null : ProductOps.operand(residual),
        ProductOps.operand(out),
        w.name());
  }

  /** What {@link #parts} finds. */
  interface Part {
    void take(
        Tensor x,
        Conv2dGeometry geometry,
        @Nullable Tensor channelBias,
        @Nullable Tensor residual,
        Tensor out);
  }

  /**
   * A convolution as a whole, or bands of each image's rows where tensors are too large for that.
   *
   * @param kernelHeight rows of the kernel
   * @param largest elements of a tensor of one part
   */
  static void parts(
      Tensor x,
      int kernelHeight,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out,
      long largest,
      Part to) {
    long most = Math.max(extent(x), extent(out));
    if (residual != null) {
      most = Math.max(most, extent(residual));
    }
    if (most <= largest) {
      to.take(x, geometry, channelBias, residual, out);
      return;
    }
    List<RowBand> bands =
        RowBand.of(
            x.size(1),
            out.size(1),
            kernelHeight,
            geometry,
            largest / (x.shape().dim(2) * x.shape().dim(3)),
            largest / (out.shape().dim(2) * out.shape().dim(3)));
    for (long b = 0; b < out.shape().dim(0); b++) {
      for (RowBand band : bands) {
        to.take(
            image(x, b).slice(1, band.inFrom(), band.inTo()),
            band.geometry(),
            channelBias == null ? null : image(channelBias, b),
            residual == null ? null : image(residual, b).slice(1, band.outFrom(), band.outTo()),
            image(out, b).slice(1, band.outFrom(), band.outTo()));
      }
    }
  }

  private static Tensor image(Tensor t, long b) {
    return t.slice(0, b, b + 1);
  }

  /** Elements between the ends of a tensor. */
  private static long extent(Tensor t) {
    long batch = t.shape().dim(0);
    return (batch - 1) * t.stride(0) + t.shape().elements() / batch;
  }

  private void convolveParts(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    parts(
        x,
        w.kernelHeight(),
        geometry,
        channelBias,
        residual,
        out,
        largest,
        (px, g, c, r, to) -> convolve(px, w, g, c, r, to));
  }

  private void convolve(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    ConvPlans.Key key =
        ConvPlans.Key.of(
            x,
            w.shape(),
            w.biasAddress() != 0,
            geometry,
            channelBias,
            residual,
            out,
            Tensor::address);
    ConvPlans.Choice choice = plans.choose(key);
    if (choice.plan() == null) {
      patches(x, w, geometry, out);
      if (channelBias != null || residual != null) {
        add(out, 0, channelBias, residual, out);
      }
      return;
    }
    Fusion fusion = choice.fusion();
    boolean bias = key.bias() && fusion != Fusion.NONE;
    Tensor fusedChannels = fusion == Fusion.ALL ? channelBias : null;
    Tensor fusedResidual = fusion == Fusion.ALL ? residual : null;
    int n = 3 + (bias ? 1 : 0) + (fusedChannels == null ? 0 : 1) + (fusedResidual == null ? 0 : 1);
    long[] ids = new long[n];
    long[] addresses = new long[n];
    addresses[0] = x.address();
    addresses[1] = w.address();
    addresses[2] = out.address();
    int next = 3;
    if (bias) {
      addresses[next++] = w.biasAddress();
    }
    if (fusedChannels != null) {
      addresses[next++] = fusedChannels.address();
    }
    if (fusedResidual != null) {
      addresses[next] = fusedResidual.address();
    }
    for (int i = 0; i < n; i++) {
      ids[i] = i + 1L;
    }
    CudnnPlan plan = choice.plan();
    plan.execute(
        context.dnn(), ids, addresses, context.workspace(plan.workspace(), "convolutions"));
    boolean biasLeft = key.bias() && !bias;
    Tensor channelsLeft = fusedChannels == null ? channelBias : null;
    Tensor residualLeft = fusedResidual == null ? residual : null;
    if (biasLeft || channelsLeft != null || residualLeft != null) {
      add(out, biasLeft ? w.biasAddress() : 0, channelsLeft, residualLeft, out);
    }
  }

  /** The product of a matrix of patches with the weight, with the bias. */
  private void patches(Tensor x, ConvWeight w, Conv2dGeometry g, Tensor out) {
    long depth = (long) w.kernelHeight() * w.kernelWidth() * w.in();
    long pixels = out.shape().dim(1) * out.shape().dim(2);
    int each = context.dtype().bytes();
    long rows = Math.max(1, Math.min(pixels, COLUMNS / (depth * each)));
    try (DeviceStorage columns =
        context.memory().allocate(rows * depth * each, "the patches of " + w.name())) {
      for (long b = 0; b < out.shape().dim(0); b++) {
        for (long from = 0; from < pixels; from += rows) {
          long n = Math.min(rows, pixels - from);
          context
              .kernel("im2col")
              .pointer(x)
              .pointer(columns.address())
              .i64(b * pixels + from, n)
              .i32(x.size(1), x.size(2), x.size(3))
              .i32(w.kernelHeight(), w.kernelWidth(), g.stride(), g.top(), g.left())
              .i32(out.size(1), out.size(2))
              .i64(x.stride(0))
              .elements(context.compute(), n * depth);
          RowView from1 = new RowView(1, n, Math.toIntExact(depth), n * depth, depth);
          RowView to = new RowView(1, n, w.out(), n * w.out(), w.out());
          long target = out.address() + (b * out.stride(0) + from * w.out()) * each;
          products.multiply(
              w.address(),
              w.biasAddress(),
              w.out(),
              new Operand(columns.address(), from1),
              null,
              new Operand(target, to),
              w.name());
        }
      }
    }
  }

  /** {@code out = x + bias + channelBias + residual}. */
  private void add(
      Tensor x, long bias, @Nullable Tensor channelBias, @Nullable Tensor residual, Tensor out) {
    long pixels = out.shape().dim(1) * out.shape().dim(2);
    int channels = out.size(3);
    context
        .kernel("epilogue")
        .pointer(x)
        .pointer(bias)
        .pointer(channelBias)
        .pointer(residual)
        .pointer(out)
        .i64(out.shape().dim(0) * pixels, pixels)
        .i32(channels)
        .i64(x.stride(0), channels)
        .i64(channelBias == null ? 0 : channelBias.stride(0))
        .i64(residual == null ? 0 : residual.stride(0), channels)
        .i64(out.stride(0), channels)
        .i32(0)
        .elements(context.compute(), out.shape().elements());
  }

  @Override
  public void close() {
    plans.close();
  }
}
