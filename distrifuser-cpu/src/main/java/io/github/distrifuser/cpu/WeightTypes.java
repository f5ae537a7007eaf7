package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;

/** In which type weights are kept: as they are found, where oneDNN multiplies with it. */
final class WeightTypes {
  private WeightTypes() {}

  /** For linear layers; all parts get one type. */
  static DType linear(DType activations, List<WeightTensor> parts) {
    DType common = parts.isEmpty() ? activations : parts.get(0).dtype();
    for (WeightTensor p : parts) {
      common = p.dtype() == common ? common : DType.F32;
    }
    return convolution(activations, common);
  }

  /** For convolutions. */
  static DType convolution(DType activations, DType found) {
    if (activations != DType.F32) {
      return activations;
    }
    return found;
  }
}
