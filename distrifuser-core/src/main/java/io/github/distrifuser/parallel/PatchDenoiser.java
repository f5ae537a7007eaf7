package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.patch.PatchContext;
import io.github.distrifuser.parallel.patch.PatchLayers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Displaced patch parallelism: DistriFusion's UNet. */
public final class PatchDenoiser extends RankedDenoiser {
  private final PatchContext context;
  private @Nullable PredictionGather gather;

  public PatchDenoiser(
      UNetConfig unetConfig,
      Backend backend,
      WeightStore weights,
      Communicator world,
      DistriConfig config) {
    this(unetConfig, backend, weights, world, config, new PatchContext(backend));
  }

  private PatchDenoiser(
      UNetConfig unetConfig,
      Backend backend,
      WeightStore weights,
      Communicator world,
      DistriConfig config,
      PatchContext context) {
    super(unetConfig, new PatchLayers(backend, weights, context), world, config);
    this.context = context;
  }

  /** What this rank exchanges in a step of the current generation, predictions not counted. */
  public ExchangePlan exchangePlan() {
    return context.exchange().plan();
  }

  @Override
  void plan(RankTopology t, DenoiserInputs in) {
    PatchRows rows = PatchRows.even(in.height(), downFactor(), t.patchRanks());
    context.plan(config().mode(), rows, group(t.patchGroup()), config().commCheckpoint());
    gather =
        new PredictionGather(
            backend(),
            world(),
            regions(
                t,
                in.batch(),
                i -> new Region(0, 0, rows.start(i, 0), rows.start(i + 1, 0), 0, in.width())),
            unetConfig().outChannels());
  }

  @Override
  Region inputRegion(RankTopology t, DenoiserInputs in, int step) {
    int[] b = batchRange(t, t.rank(), in.batch());
    return new Region(b[0], b[1], 0, in.height(), 0, in.width());
  }

  @Override
  StepPhase kind(int step) {
    return StepPhase.of(step, config().warmupSteps());
  }

  @Override
  void beforeStep(int step) {
    context.setPhase(kind(step));
  }

  @Override
  boolean communicatesInStep() {
    return true;
  }

  @Override
  void endWork(boolean captured) {
    if (captured) {
      context.exchange().drain();
    } else {
      context.exchange().flush();
    }
  }

  @Override
  void forgetWork() {
    context.exchange().forget();
  }

  @Override
  NdArray afterStep(Tensor mine, DenoiserInputs in, int step) {
    PredictionGather g = gather;
    if (g == null) {
      throw new IllegalStateException("a step before begin");
    }
    return g.gather(mine, in.batch(), in.height(), in.width());
  }

  @Override
  void release() {
    context.release();
    if (gather != null) {
      gather.close();
      gather = null;
    }
  }
}
