package io.github.distrifuser.plan;

import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
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
    return IntStream.range(0, ranks).parallel().mapToObj(r -> record(workload, ranks, r)).toList();
  }

  private static RankRecording record(Workload workload, int ranks, int rank) {
    StepRecorder recorder = new StepRecorder();
    RecordingBackend backend = new RecordingBackend(workload.dtype(), recorder);
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
