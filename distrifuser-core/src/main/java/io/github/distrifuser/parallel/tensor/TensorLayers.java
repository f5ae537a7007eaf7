package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.nn.AttentionLayer;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.CrossAttention;
import io.github.distrifuser.nn.FeedForward;
import io.github.distrifuser.nn.FeedForwardLayer;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.Linear;
import io.github.distrifuser.nn.ResidualProjection;
import io.github.distrifuser.nn.ResnetBlock2D;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.nn.SelfAttention;
import io.github.distrifuser.nn.WeightStore;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes one rank's shares of the layers: heads of attention, inner channels of feed-forward and
 * residual blocks (whole groups of their norm), input channels of the other k x k convolutions. The
 * first convolution, the transformers' 1 x 1 projections, the norms and the time embedding are
 * whole on every rank, as is a layer that has fewer channels than there are ranks.
 */
public final class TensorLayers extends Layers {
  private final ShardGroup group;
  private final ShardedWeights shards;

  /**
   * Layers of a group of at least one rank; those of one rank are the plain ones.
   *
   * @param weights may be shared by the group's ranks where they are threads
   * @param group the ranks that divide the layers
   */
  public TensorLayers(Backend backend, WeightStore weights, Communicator group) {
    super(backend, weights);
    this.group = new ShardGroup(group);
    this.shards = new ShardedWeights(backend, weights, this.group);
  }

  private boolean divides(long units) {
    return group.size() > 1 && units >= group.size();
  }

  @Override
  public Conv2d conv2d(String name, int in, int out, int kernel, Conv2dGeometry geometry) {
    if (kernel == 1 || !divides(in)) {
      return super.conv2d(name, in, out, kernel, geometry);
    }
    Share s = group.channels(in);
    return new SummedConv2d(
        backend(), shards.convColumns(name, in, out, kernel, s), geometry, group, s, false);
  }

  @Override
  public Conv2d inputConv2d(String name, int in, int out, int kernel) {
    return super.conv2d(name, in, out, kernel, Conv2dGeometry.of(1, (kernel - 1) / 2));
  }

  private ResidualProjection summed(String name, long in, long out, Share s) {
    return new SummedProjection(backend(), group, shards.linearColumns(name, in, out, s));
  }

  @Override
  public AttentionLayer selfAttention(String name, int channels, int heads) {
    if (group.size() == 1) {
      return super.selfAttention(name, channels, heads);
    }
    int size = channels / heads;
    Share s = group.share(heads, size);
    return s.isEmpty()
        ? new EmptyAttention(backend(), group)
        : new SelfAttention(
            backend(),
            shards.stackedRows(name, List.of("to_q", "to_k", "to_v"), channels, channels, s),
            summed(name + ".to_out.0", channels, channels, s),
            (int) s.size() / size);
  }

  @Override
  public AttentionLayer crossAttention(String name, int channels, int contextWidth, int heads) {
    if (group.size() == 1) {
      return super.crossAttention(name, channels, contextWidth, heads);
    }
    int size = channels / heads;
    Share s = group.share(heads, size);
    return s.isEmpty()
        ? new EmptyAttention(backend(), group)
        : new CrossAttention(
            backend(),
            shards.stackedRows(name, List.of("to_q"), channels, channels, s),
            shards.stackedRows(name, List.of("to_k", "to_v"), contextWidth, channels, s),
            summed(name + ".to_out.0", channels, channels, s),
            (int) s.size() / size);
  }

  @Override
  public FeedForwardLayer feedForward(String name, int channels) {
    int inner = 4 * channels;
    if (!divides(inner)) {
      return super.feedForward(name, channels);
    }
    Share s = group.channels(inner);
    return new FeedForward(
        backend(),
        shards.gegluRows(name + ".net.0.proj", channels, inner, s),
        summed(name + ".net.2", inner, channels, s));
  }

  @Override
  public ResnetLayer resnet(
      String name, int in, int out, int timeWidth, int groups, float eps, Activation activation) {
    if (!divides(in)) {
      return new ResnetBlock2D(
          new Layers(backend(), weights()), name, in, out, timeWidth, groups, eps, activation);
    }
    Conv2d shortcut = in == out ? null : shortcut(name + ".conv_shortcut", in, out);
    Share s = group.share(groups, out / groups);
    return s.isEmpty()
        ? new EmptyResnet(backend(), group, shortcut)
        : share(name, in, out, timeWidth, groups, eps, activation, shortcut, s);
  }

  private Conv2d shortcut(String name, int in, int out) {
    Share s = group.channels(in);
    return new PartialPointwise(backend(), shards.linearColumns(name, in, out, s), s);
  }

  private ResnetLayer share(
      String name,
      int in,
      int out,
      int timeWidth,
      int groups,
      float eps,
      Activation activation,
      @Nullable Conv2d shortcut,
      Share s) {
    Conv2dGeometry same = Conv2dGeometry.of(1, 1);
    int ownGroups = (int) (s.size() / (out / groups));
    return new ResnetBlock2D(
        groupNorm(name + ".norm1", groups, in, eps),
        new Conv2d(backend(), shards.convRows(name + ".conv1", in, out, 3, s), same),
        timeWidth == 0
            ? null
            : new Linear(backend(), shards.linearRows(name + ".time_emb_proj", timeWidth, out, s)),
        new GroupNorm(backend(), shards.norm(name + ".norm2", out, s), ownGroups, eps),
        new SummedConv2d(
            backend(),
            shards.convColumns(name + ".conv2", out, out, 3, s),
            same,
            group,
            null,
            shortcut != null),
        shortcut,
        activation);
  }
}
