package io.github.distrifuser.trace;

import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.tensor.NdArray;

/** Notes each call of a rank's model. */
public final class TracedDenoiser implements Denoiser {
  private final Denoiser denoiser;
  private final int rank;
  private final Timeline timeline;
  private int step;

  /** Notes the calls of a denoiser, which it closes with itself. */
  public TracedDenoiser(Denoiser denoiser, int rank, Timeline timeline) {
    this.denoiser = denoiser;
    this.rank = rank;
    this.timeline = timeline;
  }

  @Override
  public void prepare() {
    denoiser.prepare();
  }

  @Override
  public void begin(DenoiserInputs inputs) {
    step = 0;
    denoiser.begin(inputs);
  }

  @Override
  public void replaceEmbeddings(DenoiserInputs inputs) {
    denoiser.replaceEmbeddings(inputs);
  }

  @Override
  public NdArray predict(NdArray sample, float timestep) {
    long begin = System.nanoTime();
    NdArray y = denoiser.predict(sample, timestep);
    timeline.add(rank, Timeline.Track.COMPUTE, "step " + step++, begin, System.nanoTime());
    return y;
  }

  @Override
  public void end() {
    denoiser.end();
  }

  @Override
  public void close() {
    denoiser.close();
  }
}
