package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import org.jspecify.annotations.Nullable;

/** A convolution's weight as {@code [out, kh, kw, in]}, with its bias {@code [out]} behind it. */
final class ConvWeight extends CudaWeight {
  private final long biasOffset; // or 0

  private ConvWeight(String name, Shape shape, boolean bias, WeightUploads uploads) {
    super(
        name,
        shape,
        uploads,
        WeightUploads.aligned(shape.elements() * uploads.dtype().bytes())
            + (bias ? shape.dim(0) * uploads.dtype().bytes() : 0));
    biasOffset = bias ? WeightUploads.aligned(shape.elements() * uploads.dtype().bytes()) : 0;
  }

  static ConvWeight of(
      String name, WeightTensor weight, @Nullable WeightTensor bias, WeightUploads uploads) {
    Shape shape = WeightChecks.conv2d(weight, bias);
    ConvWeight w = new ConvWeight(name, shape, bias != null, uploads);
    try {
      uploads.putChannelsLast(weight, uploads.dtype(), w.address());
      if (bias != null) {
        uploads.put(bias, uploads.dtype(), w.biasAddress());
      }
      w.sent(uploads);
    } catch (RuntimeException e) {
      w.close();
      throw e;
    }
    return w;
  }

  /** Of the bias, or 0. */
  long biasAddress() {
    return biasOffset == 0 ? 0 : address() + biasOffset;
  }

  int out() {
    return shape().size(0);
  }

  int in() {
    return shape().size(1);
  }

  int kernelHeight() {
    return shape().size(2);
  }

  int kernelWidth() {
    return shape().size(3);
  }
}
