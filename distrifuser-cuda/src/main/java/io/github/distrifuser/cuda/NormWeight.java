package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;

/** A normalisation's weight and bias in floats, whatever the type of activations. */
final class NormWeight extends CudaWeight {
  private NormWeight(String name, Shape shape, WeightUploads uploads) {
    super(name, shape, uploads, 2 * Float.BYTES * shape.elements());
  }

  static NormWeight of(String name, WeightTensor weight, WeightTensor bias, WeightUploads uploads) {
    NormWeight w = new NormWeight(name, WeightChecks.norm(weight, bias), uploads);
    try {
      uploads.put(weight, DType.F32, w.address());
      uploads.put(bias, DType.F32, w.biasAddress());
      w.sent(uploads);
    } catch (RuntimeException e) {
      w.close();
      throw e;
    }
    return w;
  }

  long biasAddress() {
    return address() + Float.BYTES * shape().elements();
  }
}
