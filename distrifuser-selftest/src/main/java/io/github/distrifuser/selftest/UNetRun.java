package io.github.distrifuser.selftest;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.comm.SoloCommunicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.plan.OperatorTotals;
import io.github.distrifuser.plan.Recorder;
import io.github.distrifuser.plan.Workload;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.StateDict;

/** A UNet with random weights on the device, for a square picture under guidance (batch 2). */
final class UNetRun implements AutoCloseable {
  private static final int BATCH = 2;
  private static final int TOKENS = 77;
  private static final int TIME_IDS = 6; // SDXL's numbers of size conditioning
  private static final float TIMESTEP = 500;

  private final Backend backend;
  private final WeightStore weights;
  private final Denoiser denoiser;
  private final NdArray sample; // [2, 4, size / 8, size / 8]
  private final long macs;

  UNetRun(String model, int size, DType dtype) {
    ModelSource source = ModelSource.resolve(model, LoadOptions.defaults());
    UNetConfig unet = source.unetConfig();
    DistriConfig config = DistriConfig.builder().height(size).width(size).build();
    int side = size / source.latentFactor();
    Workload workload = new Workload(unet, config, source.latentFactor(), 1, dtype, 1);
    macs = OperatorTotals.of(Recorder.record(workload, 1).get(0)).macs();
    TorchGenerator noise = new TorchGenerator(0);
    sample = random(noise, BATCH, unet.inChannels(), side, side);
    backend = Gpu.open(dtype);
    weights = new WeightStore(StateDict.random(model, 0));
    denoiser = Denoisers.of(unet, backend, weights, new SoloCommunicator(), config);
    try {
      denoiser.begin(inputs(unet, side, size, noise));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private static DenoiserInputs inputs(UNetConfig unet, int side, int size, TorchGenerator noise) {
    int text = unet.crossAttentionDim().get(unet.crossAttentionDim().size() - 1);
    int joined = unet.projectionClassEmbeddingsInputDim();
    float[] ids = new float[BATCH * TIME_IDS];
    for (int i = 0; i < ids.length; i++) {
      int at = i % TIME_IDS;
      ids[i] = at == 2 || at == 3 ? 0 : size; // the crop's corner
    }
    return new DenoiserInputs(
        BATCH,
        side,
        side,
        true,
        random(noise, BATCH, TOKENS, text),
        joined == 0
            ? null
            : random(noise, BATCH, joined - (long) TIME_IDS * unet.additionTimeEmbedDim()),
        joined == 0 ? null : NdArray.of(ids, BATCH, TIME_IDS),
        null);
  }

  private static NdArray random(TorchGenerator noise, long... dims) {
    return NdArray.of(noise.randn(dims), dims);
  }

  /**
   * One call of the model; waits for its result.
   *
   * @return seconds
   */
  double step() {
    long start = System.nanoTime();
    NdArray out = denoiser.predict(sample, TIMESTEP);
    double seconds = (System.nanoTime() - start) / 1e9;
    for (float f : out.data()) {
      if (!Float.isFinite(f)) {
        throw new IllegalStateException("the UNet's output has numbers that are not finite");
      }
    }
    return seconds;
  }

  /** Multiply-accumulates of a step, as profile_macs counts them. */
  long macs() {
    return macs;
  }

  /** Bytes of the weights. */
  long weightBytes() {
    return weights.bytes();
  }

  /** Memory of the activations. */
  MemoryStats memory() {
    return backend.memory();
  }

  /** Ends the generation; what is then still held by tensors is a leak. */
  void end() {
    denoiser.close();
  }

  @Override
  public void close() {
    try (weights;
        backend) {
      denoiser.close();
    }
  }
}
