package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A k x k convolution of a patch. The rows beyond its borders are the neighbours': fresh in a
 * synchronous step, else those of the step before; at the image's border they are zeros.
 */
public final class PatchConv2d extends Conv2d {
  private final PatchContext context;
  private final String name;
  private @Nullable Halo halo;

  public PatchConv2d(
      PatchContext context, Backend backend, PreparedWeight weight, Conv2dGeometry geometry) {
    super(backend, weight, geometry);
    this.context = context;
    this.name = weight.name();
  }

  /** The neighbours' rows, and the own ones on their way to them. */
  private final class Halo {
    final long generation = context.generation();
    final Shape shape; // of the input, rows aside
    final @Nullable Tensor above;
    final @Nullable Tensor below;
    final @Nullable Tensor toAbove;
    final @Nullable Tensor toBelow;
    final ActivationExchange.Slot slot;

    Halo(Tensor x, int top, int bottom) {
      Messages m = new Messages();
      shape = x.shape().with(1, 0);
      above = rows(x, context.isFirst() ? 0 : top);
      toAbove = rows(x, context.isFirst() ? 0 : bottom);
      below = rows(x, context.isLast() ? 0 : bottom);
      toBelow = rows(x, context.isLast() ? 0 : top);
      link(m, context.index() - 1, 0, toAbove, 1, above);
      link(m, context.index() + 1, 1, toBelow, 0, below);
      slot = context.exchange().slot(name, ExchangeKind.HALO, m);
    }

    private void link(
        Messages m, int peer, int out, @Nullable Tensor send, int in, @Nullable Tensor receive) {
      if (send != null) {
        m.send(peer, out, send);
      }
      if (receive != null) {
        m.receive(peer, in, receive);
      }
    }

    private @Nullable Tensor rows(Tensor x, int n) {
      return n == 0
          ? null
          : context.buffer(x.dtype(), x.shape().dim(0), n, x.shape().dim(2), x.shape().dim(3));
    }

    boolean fits(Tensor x) {
      return generation == context.generation() && shape.equals(x.shape().with(1, 0));
    }
  }

  /** Rows that an output row reaches above its patch. */
  private int top() {
    return geometry().top();
  }

  /** Rows that the last output row of a patch reaches below it: patches begin at whole strides. */
  private int bottom() {
    return Math.max(0, kernel() - geometry().top() - geometry().stride());
  }

  private int marginAbove() {
    return context.isFirst() ? 0 : top();
  }

  private int marginBelow() {
    return context.isLast() ? 0 : bottom();
  }

  @Override
  public Tensor input(long b, long h, long w, long in) {
    int above = marginAbove();
    int below = marginBelow();
    return backend().allocate(b, above + h + below, w, in).owningSlice(1, above, above + h);
  }

  @Override
  public Tensor forward(Tensor x, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    if (context.patches() == 1) {
      return super.forward(x, channelBias, residual);
    }
    int h = x.size(1);
    int above = marginAbove();
    int below = marginBelow();
    Conv2dGeometry g =
        geometry()
            .withRows(
                context.isFirst() ? geometry().top() : 0,
                context.isLast() ? geometry().bottom() : 0);
    Tensor whole = x.base();
    if (whole != null
        && whole.shape().equals(x.shape().with(1, above + h + below))
        && x.byteOffset() == above * whole.stride(1) * x.dtype().bytes()) {
      fillMargins(whole, h, above);
      return convolve(whole, g, channelBias, residual);
    }
    try (Tensor own = input(x.shape().dim(0), h, x.shape().dim(2), x.shape().dim(3))) {
      backend().copy(x, own);
      Tensor copied = own.base();
      if (copied == null) {
        throw new IllegalStateException(name + ": an input without margins");
      }
      fillMargins(copied, h, above);
      return convolve(copied, g, channelBias, residual);
    }
  }

  /** Fills the rows around the patch and sends the patch's own boundary rows. */
  private void fillMargins(Tensor whole, int h, int above) {
    Halo n = halo;
    if (n == null || !n.fits(whole)) {
      n = new Halo(whole, top(), bottom());
      halo = n;
    }
    n.slot.await();
    Tensor patch = whole.slice(1, above, above + h);
    if (context.synchronous()) {
      stage(n, patch, h);
      n.slot.exchangeNow();
      unstage(n, whole, above, h);
    } else {
      unstage(n, whole, above, h);
      if (context.sendsAsynchronously()) {
        stage(n, patch, h);
        n.slot.post();
      }
    }
  }

  private void stage(Halo n, Tensor patch, int h) {
    if (n.toAbove != null) {
      backend().copy(patch.slice(1, 0, checked(n.toAbove.size(1), h)), n.toAbove);
    }
    if (n.toBelow != null) {
      backend().copy(patch.slice(1, h - checked(n.toBelow.size(1), h), h), n.toBelow);
    }
  }

  private void unstage(Halo n, Tensor whole, int above, int h) {
    if (n.above != null) {
      backend().copy(n.above, whole.slice(1, 0, above));
    }
    if (n.below != null) {
      backend().copy(n.below, whole.slice(1, above + h, above + h + n.below.size(1)));
    }
  }

  private int checked(int rows, int h) {
    if (rows > h) {
      throw new IllegalArgumentException(
          name + ": a patch of " + h + " rows cannot give its neighbour " + rows);
    }
    return rows;
  }
}
