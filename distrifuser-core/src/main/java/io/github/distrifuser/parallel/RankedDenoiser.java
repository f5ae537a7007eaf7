package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNet2DConditionModel;
import io.github.distrifuser.models.unet.UNetCall;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** What the parallel schemes share: batch halves, groups, and the gathering of the prediction. */
abstract class RankedDenoiser implements Denoiser {
  private final UNetConfig unetConfig;
  private final DistriConfig config;
  private final Layers layers;
  private final Communicator world;
  private final Map<List<Integer>, Communicator> groups = new HashMap<>();
  private @Nullable UNet2DConditionModel unet;
  private @Nullable Layers unetLayers; // that it is built of
  private @Nullable Run run;

  RankedDenoiser(UNetConfig unetConfig, Layers layers, Communicator world, DistriConfig config) {
    this.unetConfig = unetConfig;
    this.layers = layers;
    this.world = world;
    this.config = config;
  }

  /** One generation. */
  private static final class Run {
    final DenoiserInputs inputs;
    final RankTopology topology;
    UNetCall call;
    int step;

    Run(DenoiserInputs inputs, RankTopology topology, UNetCall call) {
      this.inputs = inputs;
      this.topology = topology;
      this.call = call;
    }
  }

  final Backend backend() {
    return layers.backend();
  }

  final Communicator world() {
    return world;
  }

  final DistriConfig config() {
    return config;
  }

  final UNetConfig unetConfig() {
    return unetConfig;
  }

  /** What coarsest level's rows are worth in latent rows: boundaries are multiples of it. */
  final int downFactor() {
    return 1 << (unetConfig.blockOutChannels().size() - 1);
  }

  /** A group of world ranks, made on first use; all ranks ask in the same order. */
  final Communicator group(List<Integer> ranks) {
    if (ranks.size() == world.size()) {
      return world;
    }
    return groups.computeIfAbsent(ranks, world::group);
  }

  /** Entries of the batch that a rank's half has. */
  static int[] batchRange(RankTopology topology, int rank, int batch) {
    int share = batch / topology.batchGroups();
    int g = rank / topology.patchRanks();
    return new int[] {g * share, (g + 1) * share};
  }

  /** Plans for a shape. */
  abstract void plan(RankTopology topology, DenoiserInputs inputs);

  /** What this rank feeds the model in a step. */
  abstract Region inputRegion(RankTopology topology, DenoiserInputs inputs, int step);

  /** Called before the model runs. */
  abstract void beforeStep(int step);

  /** Called when the model has run; gathers the whole prediction. */
  abstract NdArray afterStep(Tensor mine, DenoiserInputs inputs, int step);

  /** Frees what {@link #plan} made. Idempotent. */
  abstract void release();

  @Override
  public final void begin(DenoiserInputs inputs) {
    end();
    RankTopology topology =
        RankTopology.of(world.size(), world.rank(), inputs.guidance(), config.splitBatch());
    plan(topology, inputs);
    run = new Run(inputs, topology, call(model(topology), topology, inputs));
  }

  /** Builds the model for calls as the configuration expects them. */
  @Override
  public final void prepare() {
    model(
        RankTopology.of(
            world.size(), world.rank(), config.doClassifierFreeGuidance(), config.splitBatch()));
  }

  private UNet2DConditionModel model(RankTopology topology) {
    Layers needed = layersFor(topology);
    UNet2DConditionModel model = unet;
    if (model == null || unetLayers != needed) {
      model = new UNet2DConditionModel(unetConfig, needed);
      unet = model;
      unetLayers = needed;
    }
    return model;
  }

  /**
   * The layers of the model; by default those given at construction. Others than the generation
   * before had make the model be built anew.
   */
  Layers layersFor(RankTopology topology) {
    return layers;
  }

  private UNetCall call(UNet2DConditionModel model, RankTopology t, DenoiserInputs inputs) {
    int[] range = batchRange(t, world.rank(), inputs.batch());
    return new UNetCall(model, backend(), inputs.slice(range[0], range[1]));
  }

  @Override
  public final void replaceEmbeddings(DenoiserInputs inputs) {
    Run r = running();
    UNet2DConditionModel model = unet;
    if (model == null
        || inputs.batch() != r.inputs.batch()
        || inputs.height() != r.inputs.height()
        || inputs.width() != r.inputs.width()) {
      throw new IllegalArgumentException("embeddings replaced under another batch or size");
    }
    UNetCall old = r.call;
    r.call = call(model, r.topology, inputs);
    old.closeInputs();
  }

  @Override
  public final NdArray predict(NdArray sample, float timestep) {
    Run r = running();
    beforeStep(r.step);
    NdArray mine = inputRegion(r.topology, r.inputs, r.step).cut(sample);
    try (Tensor y = r.call.run(mine, timestep)) {
      NdArray whole = afterStep(y, r.inputs, r.step);
      r.step++;
      return whole;
    }
  }

  private Run running() {
    Run r = run;
    if (r == null) {
      throw new IllegalStateException("a step before begin");
    }
    return r;
  }

  /** The regions that all ranks of the world compute, from a function of the patch's number. */
  static List<Region> regions(RankTopology t, int batch, IntFunction<Region> f) {
    List<Region> all = new ArrayList<>();
    for (int rank = 0; rank < t.worldSize(); rank++) {
      int[] b = batchRange(t, rank, batch);
      Region r = f.apply(rank % t.patchRanks());
      all.add(new Region(b[0], b[1], r.row0(), r.row1(), r.col0(), r.col1()));
    }
    return all;
  }

  @Override
  public final void end() {
    Run r = run;
    run = null;
    try {
      release();
    } finally {
      if (r != null) {
        r.call.close();
      }
    }
  }

  @Override
  public final void close() {
    end();
  }
}
