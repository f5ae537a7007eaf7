package io.github.distrifuser.schedulers;

import io.github.distrifuser.random.Draws;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a step may be told besides prediction, timestep and sample. A scheduler takes what concerns
 * it and leaves the rest, as diffusers' pipelines do.
 *
 * @param shape the sample's shape {@code [n, c, h, w]}: needed where noise is drawn or a threshold
 *     is found for each image
 * @param generators sources of noise, one for all or one for each image; may be empty where no
 *     noise is drawn
 * @param noiseDType type in which torch would draw the noise; F32 unless the pipeline runs in half
 *     precision and its noise is to be the same as torch's
 * @param eta share of DDPM's noise in DDIM, 0 to 1; 0 draws none
 * @param useClippedModelOutput DDIM derives the noise anew from the clipped sample
 * @param churn Euler's stochasticity
 */
public record StepOptions(
    @Nullable Shape shape,
    List<Generator> generators,
    DType noiseDType,
    double eta,
    boolean useClippedModelOutput,
    Churn churn) {

  /**
   * Euler's stochasticity, after Karras and others.
   *
   * @param amount {@code s_churn}, 0 for none
   * @param tMin lowest noise level at which noise is added
   * @param tMax highest
   * @param noise factor of the noise
   */
  public record Churn(double amount, double tMin, double tMax, double noise) {
    /** No stochasticity. */
    public static final Churn NONE = new Churn(0, 0, Double.POSITIVE_INFINITY, 1);
  }

  private static final StepOptions NONE =
      new StepOptions(null, List.of(), DType.F32, 0, false, Churn.NONE);

  public StepOptions {
    generators = List.copyOf(generators);
    if (!(eta >= 0)) {
      throw new IllegalArgumentException("eta: expected 0 or more, found " + eta);
    }
  }

  /** No generator and diffusers' defaults. */
  public static StepOptions none() {
    return NONE;
  }

  /** Noise for a sample of this shape from one generator. */
  public static StepOptions of(Shape shape, Generator generator) {
    return of(shape, List.of(generator));
  }

  /** Noise for a sample of this shape from one generator, or from one for each image. */
  public static StepOptions of(Shape shape, List<? extends Generator> generators) {
    return new StepOptions(shape, List.copyOf(generators), DType.F32, 0, false, Churn.NONE);
  }

  /** The same with another share of DDPM's noise. */
  public StepOptions withEta(double value) {
    return new StepOptions(shape, generators, noiseDType, value, useClippedModelOutput, churn);
  }

  /** The same with noise as torch draws it in this type. */
  public StepOptions withNoiseDType(DType value) {
    return new StepOptions(shape, generators, value, eta, useClippedModelOutput, churn);
  }

  /** The same, with DDIM's noise derived from the clipped sample or not. */
  public StepOptions withUseClippedModelOutput(boolean value) {
    return new StepOptions(shape, generators, noiseDType, eta, value, churn);
  }

  /** The same with another stochasticity of Euler's. */
  public StepOptions withChurn(Churn value) {
    return new StepOptions(shape, generators, noiseDType, eta, useClippedModelOutput, value);
  }

  /** The sample's shape, checked against its length. */
  Shape shapeOf(float[] sample, String who) {
    if (shape == null) {
      throw new IllegalArgumentException(who + ": this step needs the sample's shape");
    }
    if (shape.elements() != sample.length) {
      throw new IllegalArgumentException(
          who + ": sample of " + sample.length + " elements, but shape " + shape);
    }
    return shape;
  }

  /** Standard normal noise for the whole sample. */
  float[] noise(float[] sample, String who) {
    return noise(sample, noiseDType, who);
  }

  float[] noise(float[] sample, DType dtype, String who) {
    if (generators.isEmpty()) {
      throw new IllegalArgumentException(who + ": this step draws noise, but has no generator");
    }
    return Draws.randn(generators, dtype, shapeOf(sample, who));
  }
}
