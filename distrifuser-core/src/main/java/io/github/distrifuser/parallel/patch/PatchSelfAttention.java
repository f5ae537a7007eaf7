package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.SelfAttention;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.PatchRows;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Self-attention of a patch's queries to the whole image. One buffer holds keys and values of all
 * patches: the own projection writes its slot in place, the exchange fills the others.
 */
public final class PatchSelfAttention extends SelfAttention {
  private final PatchContext context;
  private final String name;
  private final int level;
  private final PreparedWeight toQ; // [c, c]
  private final PreparedWeight toKv; // [2c, c]
  private @Nullable Gathered gathered;

  public PatchSelfAttention(
      PatchContext context,
      Layers layers,
      String name,
      int level,
      int channels,
      int heads,
      boolean bias) {
    super(layers, name, channels, heads, bias);
    this.context = context;
    this.name = name;
    this.level = level;
    this.toQ = qkv().rows(0, channels);
    this.toKv = qkv().rows(channels, 3L * channels);
  }

  /** Keys and values of the whole image, {@code [b, tokens, 2c]}. */
  private final class Gathered {
    final long generation = context.generation();
    final Tensor all;
    final Tensor own;
    final ActivationExchange.Slot slot;

    Gathered(Tensor x) {
      PatchRows rows = context.rows();
      int mine = rows.rows(context.index(), level);
      int width = x.size(1) / mine; // tokens in a row of the feature map
      if (mine * width != x.size(1)) {
        throw new IllegalStateException(
            name + ": " + x.size(1) + " tokens in a patch of " + mine + " rows");
      }
      all =
          context.buffer(
              x.dtype(), x.shape().dim(0), (long) rows.total(level) * width, 2L * width());
      own = piece(context.index(), width);
      Messages m = new Messages();
      for (int i = 0; i < rows.patches(); i++) {
        if (i != context.index()) {
          m.send(i, 0, own);
          m.receive(i, 0, piece(i, width));
        }
      }
      slot = context.exchange().slot(name, ExchangeKind.KEY_VALUE, m);
    }

    private Tensor piece(int patch, int width) {
      return all.slice(
          1,
          (long) context.rows().start(patch, level) * width,
          (long) context.rows().start(patch + 1, level) * width);
    }
  }

  @Override
  public void forward(Tensor x, @Nullable TextContext text, Tensor residual) {
    if (context.patches() == 1) {
      super.forward(x, text, residual);
      return;
    }
    Gathered g = gathered;
    if (g == null || g.generation != context.generation()) {
      g = new Gathered(x);
      gathered = g;
    }
    Backend b = backend();
    g.slot.await();
    b.linear(x, toKv, Activation.NONE, null, g.own);
    if (context.synchronous()) {
      g.slot.exchangeNow();
    }
    try (Tensor q = b.allocate(x.dtype(), x.shape());
        Tensor a = b.allocate(x.dtype(), x.shape())) {
      b.linear(x, toQ, Activation.NONE, null, q);
      Tensor k = g.all.slice(2, 0, width());
      Tensor v = g.all.slice(2, width(), 2L * width());
      b.attention(q, k, v, heads(), scale(), false, a);
      if (context.sendsAsynchronously()) {
        g.slot.post();
      }
      toOut().addTo(a, residual);
    }
  }
}
