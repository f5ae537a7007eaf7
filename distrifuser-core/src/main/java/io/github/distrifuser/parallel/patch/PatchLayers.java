package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.AttentionLayer;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;

/** Makes the layers of a patch: only what looks beyond its own pixels differs from the plain. */
public final class PatchLayers extends Layers {
  private final PatchContext context;
  private final int level;

  public PatchLayers(Backend backend, WeightStore weights, PatchContext context) {
    this(backend, weights, context, 0);
  }

  private PatchLayers(Backend backend, WeightStore weights, PatchContext context, int level) {
    super(backend, weights);
    this.context = context;
    this.level = level;
  }

  @Override
  public Layers atLevel(int newLevel) {
    return new PatchLayers(backend(), weights(), context, newLevel);
  }

  @Override
  public Conv2d conv2d(String name, int in, int out, int kernel, Conv2dGeometry geometry) {
    PreparedWeight w = weights().conv2d(backend(), name, in, out, kernel);
    return kernel == 1
        ? new Conv2d(backend(), w, geometry)
        : new PatchConv2d(context, backend(), w, geometry);
  }

  @Override
  public Conv2d inputConv2d(String name, int in, int out, int kernel) {
    PreparedWeight w = weights().conv2d(backend(), name, in, out, kernel);
    return new PatchInputConv2d(context, backend(), w, Conv2dGeometry.of(1, (kernel - 1) / 2));
  }

  @Override
  public GroupNorm groupNorm(String name, int groups, int channels, float eps) {
    PreparedWeight w = weights().norm(backend(), name, channels);
    return new PatchGroupNorm(context, backend(), w, level, groups, eps);
  }

  @Override
  public AttentionLayer selfAttention(String name, int channels, int heads) {
    return new PatchSelfAttention(context, this, name, level, channels, heads, false);
  }
}
