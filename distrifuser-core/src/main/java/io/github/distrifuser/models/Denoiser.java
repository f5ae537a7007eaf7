package io.github.distrifuser.models;

import io.github.distrifuser.tensor.NdArray;

/**
 * Predicts noise. A pipeline calls it once or more a step, in the same way on every rank, and does
 * not see how the work is divided.
 */
public interface Denoiser extends AutoCloseable {

  /**
   * Loads and prepares the weights that the first generation would otherwise wait for. With several
   * ranks all call it.
   */
  default void prepare() {}

  /** Starts a generation: plans buffers, forgets the activations of the one before. */
  void begin(DenoiserInputs inputs);

  /**
   * Replaces the embeddings during a generation; sizes and batch must stay. Activations of earlier
   * steps are kept.
   */
  void replaceEmbeddings(DenoiserInputs inputs);

  /**
   * One call of the model.
   *
   * @param sample scaled latents of the whole batch, {@code [batch, channels, height, width]}
   * @param timestep the step's time, the same for all
   * @return the model's output for the whole batch, of the sample's height and width
   */
  NdArray predict(NdArray sample, float timestep);

  /** Ends a generation and frees its buffers. Idempotent. */
  void end();

  /** Ends; the weights stay, for whoever made their store to close. Idempotent. */
  @Override
  void close();
}
