package io.github.distrifuser.schedulers;

/**
 * Chooses the timesteps of a run and turns predictions into samples. Upstream: {@code
 * SchedulerMixin} and the methods that pipelines expect of it.
 *
 * <p>A scheduler holds the state of one run: build one for each run, with {@link #fresh()} or
 * {@link Schedulers}, and call it from one thread. {@link #setTimesteps(int)} begins a run; then,
 * for each of {@link #timesteps()} in order, {@link #scaleModelInput} makes the model's input and
 * {@link #step} takes its output. Arrays are float32 in NCHW order, any number of images. A
 * scheduler neither modifies nor keeps the arrays it is given; what it returns is new, save that
 * {@link #scaleModelInput} may return its argument.
 */
public interface Scheduler {

  /** The configuration that this scheduler was built from. */
  SchedulerConfig config();

  /** A scheduler of the same configuration, with no run begun. */
  Scheduler fresh();

  /**
   * Begins a run of this many steps.
   *
   * @throws IllegalArgumentException if the count is not positive or is more than this scheduler
   *     can take
   */
  void setTimesteps(int numInferenceSteps);

  /**
   * Begins a run over the caller's own timesteps.
   *
   * @param timesteps in descending order
   * @throws IllegalArgumentException where diffusers' class takes none, or not in this
   *     configuration
   */
  default void useTimesteps(double... timesteps) {
    throw new IllegalArgumentException(
        config().className() + " does not take timesteps of the caller's own");
  }

  /**
   * Begins a run over the caller's own noise levels.
   *
   * @param sigmas in descending order, the last one being where the run ends
   * @throws IllegalArgumentException where diffusers' class takes none, or not in this
   *     configuration
   */
  default void useSigmas(double... sigmas) {
    throw new IllegalArgumentException(
        config().className() + " does not take sigmas of the caller's own");
  }

  /**
   * Timesteps of the run, one for each call of the model: more than the number of steps where a
   * scheduler calls it more than once in a step.
   */
  double[] timesteps();

  /**
   * Noise levels of the run, one more than there are timesteps; empty where the scheduler has none
   * (DDIM, DDPM, PNDM, LCM).
   */
  default float[] sigmas() {
    return new float[0];
  }

  /** Standard deviation of the noise that a run begins with. */
  float initNoiseSigma();

  /** The model's input at timestep {@code t}: {@code sample} itself, or scaled. */
  float[] scaleModelInput(float[] sample, double t);

  /**
   * One step towards the clean sample.
   *
   * @param modelOutput the model's prediction, after guidance, as long as {@code sample}
   * @param t one of {@link #timesteps()}
   * @param sample what {@link #scaleModelInput} was given
   * @throws IllegalArgumentException if lengths differ, or noise or shape is needed and absent
   */
  StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options);

  /** One step that draws no noise. */
  default StepResult step(float[] modelOutput, double t, float[] sample) {
    return step(modelOutput, t, sample, StepOptions.none());
  }

  /**
   * Clean samples brought to given noise levels, as image-to-image starts.
   *
   * @param original {@code timesteps.length} images of equal size
   * @param noise standard normal, as long as {@code original}
   * @param timesteps one for each image, or a single one for all
   */
  float[] addNoise(float[] original, float[] noise, double... timesteps);

  /** Calls of the model per step: 2 for Heun, otherwise 1. */
  default int order() {
    return 1;
  }

  /**
   * Says at which of {@link #timesteps()} the run begins, where it is not the first: needed if
   * timesteps repeat. Schedulers that need no such thing ignore it.
   */
  default void setBeginIndex(int index) {}
}
