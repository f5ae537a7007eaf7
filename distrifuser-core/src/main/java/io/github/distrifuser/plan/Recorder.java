package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/** Runs the ranks' denoisers on a backend that only writes down. */
public final class Recorder {
  private Recorder() {}

  /**
   * What each rank of a world does.
   *
   * @throws IllegalArgumentException where the picture cannot be divided so
   */
  public static List<RankRecording> record(Workload workload, int ranks) {
    return record(workload, ranks, UnaryOperator.identity());
  }

  /**
   * As {@link #record(Workload, int)}, and shows what each rank calls.
   *
   * @param observer gets the backend of a rank and gives the one that the rank calls, which hands
   *     the calls on; called from several threads
   */
  public static List<RankRecording> record(
      Workload workload, int ranks, UnaryOperator<Backend> observer) {
    return IntStream.range(0, ranks)
        .parallel()
        .mapToObj(r -> record(workload, ranks, r, observer))
        .toList();
  }

  /**
   * Runs a program on a backend that computes nothing, with weights of any shape.
   *
   * @param dtype of activations and weights
   */
  public static void run(DType dtype, BiConsumer<Backend, WeightStore> program) {
    try (WeightStore weights = new WeightStore(ShapeWeights.dict());
        Backend backend = new RecordingBackend(dtype, new StepRecorder())) {
      program.accept(backend, weights);
    }
  }

  private static RankRecording record(
      Workload workload, int ranks, int rank, UnaryOperator<Backend> observer) {
    StepRecorder recorder = new StepRecorder();
    Backend backend = observer.apply(new RecordingBackend(workload.dtype(), recorder));
    try (WeightStore weights = new WeightStore(ShapeWeights.dict());
        Denoiser denoiser =
            Denoisers.of(
                workload.unet(),
                backend,
                weights,
                new RecordingCommunicator(recorder, ranks, rank),
                workload.recordedConfig())) {
      denoiser.begin(workload.inputs());
      NdArray sample = workload.sample();
      for (int step = 0; step < Workload.RECORDED; step++) {
        recorder.beginStep();
        denoiser.predict(sample, 0);
      }
      return new RankRecording(
          rank, recorder.steps(), weights.bytes(), backend.memory().peakBytes());
    }
  }
}
