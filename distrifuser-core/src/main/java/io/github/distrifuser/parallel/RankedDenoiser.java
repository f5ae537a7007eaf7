package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.CapturedSteps;
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
  private @Nullable Run run; // the present generation, or the one before, kept for its graphs
  private boolean begun;

  RankedDenoiser(UNetConfig unetConfig, Layers layers, Communicator world, DistriConfig config) {
    this.unetConfig = unetConfig;
    this.layers = layers;
    this.world = world;
    this.config = config;
  }

  /** One generation. */
  private static final class Run {
    DenoiserInputs inputs;
    final RankTopology topology;
    UNetCall call;
    int step;
    boolean failed;

    Run(DenoiserInputs inputs, RankTopology topology, UNetCall call) {
      this.inputs = inputs;
      this.topology = topology;
      this.call = call;
    }

    /** Whether a plan for these inputs would be the same, and a rank's part of them fits. */
    boolean fits(DenoiserInputs mine, DenoiserInputs all) {
      return all.batch() == inputs.batch() && call.fits(mine);
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

  /** What a step is: steps of one kind run the same operators and send the same messages. */
  Object kind(int step) {
    return "denoising";
  }

  /** Called before the model runs. */
  void beforeStep(int step) {}

  /** Whether ranks exchange anything before the model has run. */
  abstract boolean communicatesInStep();

  /**
   * Called when the model has run, as its last work.
   *
   * @param captured whether messages must have arrived then
   */
  void endWork(boolean captured) {}

  /** Forgets messages of a step that was captured in vain. */
  void forgetWork() {}

  /** Called when the step's work has run; gathers the whole prediction. */
  abstract NdArray afterStep(Tensor mine, DenoiserInputs inputs, int step);

  /** Frees what {@link #plan} made. Idempotent. */
  abstract void release();

  @Override
  public final void begin(DenoiserInputs inputs) {
    end();
    RankTopology topology =
        RankTopology.of(world.size(), world.rank(), inputs.guidance(), config.splitBatch());
    Run r = run;
    begun = true;
    if (r != null && r.topology.equals(topology) && r.fits(mine(topology, inputs), inputs)) {
      resume(r, inputs);
      return;
    }
    forgetRun();
    plan(topology, inputs);
    run = new Run(inputs, topology, call(model(topology), topology, inputs));
  }

  /** Another generation with the graphs of the one before. */
  private void resume(Run r, DenoiserInputs inputs) {
    r.failed = true; // until this has succeeded
    r.call.steps().resume();
    r.call.setInputs(mine(r.topology, inputs));
    r.inputs = inputs;
    r.step = 0;
    r.failed = false;
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

  private DenoiserInputs mine(RankTopology t, DenoiserInputs inputs) {
    int[] range = batchRange(t, world.rank(), inputs.batch());
    return inputs.slice(range[0], range[1]);
  }

  private UNetCall call(UNet2DConditionModel model, RankTopology t, DenoiserInputs inputs) {
    boolean captures = config.useCudaGraph() && (!communicatesInStep() || world.isCapturable());
    CapturedSteps steps = new CapturedSteps(backend(), captures, new Together());
    return new UNetCall(model, backend(), mine(t, inputs), steps);
  }

  /** All ranks capture a step or none does: a message's two ends should be of one kind. */
  private final class Together implements CapturedSteps.Peers {
    @Override
    public boolean all(boolean mine) {
      List<byte[]> answers = world.allGatherBytes(new byte[] {(byte) (mine ? 1 : 0)});
      return answers.stream().allMatch(a -> a[0] == 1);
    }

    @Override
    public void forget() {
      forgetWork();
    }
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
    DenoiserInputs mine = mine(r.topology, inputs);
    if (r.call.fits(mine)) {
      r.call.setInputs(mine);
      return;
    }
    UNetCall old = r.call;
    r.call = call(model, r.topology, inputs);
    old.close();
  }

  @Override
  public final NdArray predict(NdArray sample, float timestep) {
    Run r = running();
    r.failed = true; // until this has succeeded
    beforeStep(r.step);
    NdArray mine = inputRegion(r.topology, r.inputs, r.step).cut(sample);
    boolean captured = r.call.steps().isEnabled();
    Object kind = kind(r.step);
    try (Tensor y = r.call.run(kind, mine, timestep, t -> endWork(t, captured))) {
      NdArray whole = afterStep(y, r.inputs, r.step);
      r.step++;
      r.failed = false;
      return whole;
    }
  }

  private Tensor endWork(Tensor result, boolean captured) {
    endWork(captured);
    return result;
  }

  private Run running() {
    Run r = run;
    if (r == null || !begun) {
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
    begun = false;
    Run r = run;
    if (r == null || r.failed || r.call.steps().graphs() == 0) {
      forgetRun();
    } else {
      r.call.steps().rest();
    }
  }

  private void forgetRun() {
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
    begun = false;
    forgetRun();
  }
}
