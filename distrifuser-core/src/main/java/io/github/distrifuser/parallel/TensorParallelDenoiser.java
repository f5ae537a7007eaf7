package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.tensor.TensorLayers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Tensor parallelism: every rank computes a share of each layer's channels over the whole image.
 * Under a split batch the ranks of each half divide the layers among themselves, and the prediction
 * crosses between the halves alone.
 */
public final class TensorParallelDenoiser extends RankedDenoiser {
  private final WeightStore weights;
  private final Map<RankTopology, Layers> shards = new HashMap<>();
  private @Nullable PredictionGather gather;

  /**
   * A denoiser.
   *
   * @param weights of the UNet; may be shared by ranks that are threads
   */
  public TensorParallelDenoiser(
      UNetConfig unetConfig,
      Backend backend,
      WeightStore weights,
      Communicator world,
      DistriConfig config) {
    super(unetConfig, new Layers(backend, weights), world, config);
    this.weights = weights;
  }

  @Override
  Layers layersFor(RankTopology t) {
    return shards.computeIfAbsent(
        t, k -> new TensorLayers(backend(), weights, group(k.patchGroup())));
  }

  private static Region half(DenoiserInputs in, int[] entries) {
    return new Region(entries[0], entries[1], 0, in.height(), 0, in.width());
  }

  @Override
  void plan(RankTopology t, DenoiserInputs in) {
    if (t.batchGroups() == 1) {
      return;
    }
    // this rank and its like in the other half
    List<Integer> pair = List.of(t.patchIndex(), t.patchRanks() + t.patchIndex());
    List<Region> halves = new ArrayList<>();
    for (int rank : pair) {
      halves.add(half(in, batchRange(t, rank, in.batch())));
    }
    gather = new PredictionGather(backend(), group(pair), halves, unetConfig().outChannels());
  }

  @Override
  Region inputRegion(RankTopology t, DenoiserInputs in, int step) {
    return half(in, batchRange(t, t.rank(), in.batch()));
  }

  @Override
  boolean communicatesInStep() {
    return true;
  }

  @Override
  NdArray afterStep(Tensor mine, DenoiserInputs in, int step) {
    PredictionGather g = gather;
    return g == null
        ? new NdArray(backend().toFloats(mine), mine.shape()).toChannelsFirst()
        : g.gather(mine, in.batch(), in.height(), in.width());
  }

  @Override
  void release() {
    if (gather != null) {
      gather.close();
      gather = null;
    }
  }
}
