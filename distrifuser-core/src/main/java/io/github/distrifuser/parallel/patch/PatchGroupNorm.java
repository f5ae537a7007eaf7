package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.MomentRule;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * GroupNorm of a patch with the moments of the whole image, as fresh as the mode says. Patches
 * weigh as much as they have pixels.
 */
public final class PatchGroupNorm extends GroupNorm {
  private final PatchContext context;
  private final String name;
  private final int level;
  private @Nullable Moments moments;

  public PatchGroupNorm(
      PatchContext context,
      Backend backend,
      PreparedWeight affine,
      int level,
      int groups,
      float eps) {
    super(backend, affine, groups, eps);
    this.context = context;
    this.name = affine.name();
    this.level = level;
  }

  /** Moments of all patches, F32 {@code [patches, b, groups, 2]}, and the own fresh ones. */
  private final class Moments {
    final long generation = context.generation();
    final Tensor all;
    final Tensor own;
    final Tensor combined;
    final double[] weights;
    final ActivationExchange.Slot slot;

    Moments(long batch) {
      int n = context.patches();
      all = context.buffer(DType.F32, n, batch, groups(), 2);
      own = context.buffer(DType.F32, batch, groups(), 2);
      combined = context.buffer(DType.F32, batch, groups(), 2);
      weights = new double[n];
      Messages m = new Messages();
      for (int i = 0; i < n; i++) {
        weights[i] = (double) context.rows().rows(i, level) / context.rows().total(level);
        if (i != context.index()) {
          m.send(i, 0, piece(context.index()));
          m.receive(i, 0, piece(i));
        }
      }
      slot = context.exchange().slot(name, ExchangeKind.MOMENTS, m);
    }

    Tensor piece(int patch) {
      return all.slice(0, patch, patch + 1);
    }

    void storeOwn() {
      backend().copy(own.reshape(1, own.shape().dim(0), groups(), 2), piece(context.index()));
    }
  }

  @Override
  public void forward(Tensor x, Activation activation, Tensor out) {
    SyncMode mode = context.mode();
    if (context.patches() == 1) {
      super.forward(x, activation, out);
      return;
    }
    Moments m = moments;
    if (m == null
        || m.generation != context.generation()
        || m.own.shape().dim(0) != x.shape().dim(0)) {
      m = new Moments(x.shape().dim(0));
      moments = m;
    }
    boolean fresh = context.synchronous() || mode == SyncMode.SYNC_GN;
    if (!fresh && (mode == SyncMode.SEPARATE_GN || mode == SyncMode.NO_SYNC)) {
      super.forward(x, activation, out);
      return;
    }
    backend().groupMoments(x, groups(), m.own);
    m.slot.await();
    if (fresh) {
      m.storeOwn();
      m.slot.exchangeNow();
      combine(m, MomentRule.FRESH);
    } else {
      combine(m, mode == SyncMode.STALE_GN ? MomentRule.STALE : MomentRule.CORRECTED);
      m.storeOwn();
      m.slot.post();
    }
    backend().groupNormWith(x, m.combined, affine(), groups(), eps(), activation, out);
  }

  private void combine(Moments m, MomentRule rule) {
    backend().combineMoments(rule, m.all, m.own, m.weights, context.index(), m.combined);
  }
}
