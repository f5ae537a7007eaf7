package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;

/** A normalisation's weight and bias in floats. */
final class NormWeight extends NativeWeight {
  private final Slab values; // [2, channels]

  NormWeight(String name, WeightTensor weight, WeightTensor bias) {
    super(name, weight.shape());
    checkShape(weight, Shape.of(weight.shape().elements()));
    checkShape(bias, weight.shape());
    long channels = weight.shape().dim(0);
    values = own(2 * channels * Float.BYTES);
    putFloats(values, 0, weight);
    putFloats(values, channels, bias);
  }

  long scaleAddress() {
    checkOpen();
    return values.address();
  }

  /** Copies the scale. */
  void readScale(float[] target) {
    checkOpen();
    values.floats(0).get(0, target);
  }

  long shiftAddress() {
    return scaleAddress() + shape().dim(0) * Float.BYTES;
  }
}
