package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer's weight {@code [out, in]} as torch has it, row-major, parts stacked, in the type
 * of activations, with its bias {@code [out]} behind it.
 */
final class LinearWeight extends CudaWeight {
  private final long[] cuts;
  private final int elementBytes;
  private final long biasOffset; // from the weight's first byte, or 0

  private LinearWeight(String name, Shape shape, long[] cuts, boolean bias, WeightUploads uploads) {
    super(name, shape, uploads, size(shape, bias, uploads));
    this.cuts = cuts;
    this.elementBytes = uploads.dtype().bytes();
    this.biasOffset = bias ? WeightUploads.aligned(shape.elements() * elementBytes) : 0;
  }

  private static long size(Shape shape, boolean bias, WeightUploads uploads) {
    int each = uploads.dtype().bytes();
    long weight = shape.elements() * each;
    return bias ? WeightUploads.aligned(weight) + shape.dim(0) * each : weight;
  }

  static LinearWeight of(
      String name,
      List<WeightTensor> parts,
      @Nullable List<WeightTensor> biases,
      WeightUploads uploads,
      long... splits) {
    Shape shape = WeightChecks.linear(name, parts, biases, splits);
    long[] cuts = WeightChecks.cuts(parts, splits);
    LinearWeight w = new LinearWeight(name, shape, cuts, biases != null, uploads);
    try {
      long at = w.address();
      for (WeightTensor p : parts) {
        uploads.put(p, uploads.dtype(), at);
        at += p.shape().elements() * w.elementBytes;
      }
      if (biases != null) {
        at = w.address() + w.biasOffset;
        for (WeightTensor b : biases) {
          uploads.put(b, uploads.dtype(), at);
          at += b.shape().elements() * w.elementBytes;
        }
      }
      w.sent(uploads);
    } catch (RuntimeException e) {
      w.close();
      throw e;
    }
    return w;
  }

  /** All rows. */
  Rows all() {
    return new Rows(this, 0, shape().dim(0));
  }

  @Override
  public PreparedWeight rows(long from, long to) {
    return all().rows(from, to);
  }

  /** Rows {@code [from, to)} of a weight; owns nothing. */
  record Rows(LinearWeight whole, long from, long to) implements PreparedWeight {

    /** The rows behind the interface. */
    static Rows of(String operator, PreparedWeight w) {
      if (w instanceof LinearWeight l) {
        return l.all();
      }
      if (w instanceof Rows r) {
        return r;
      }
      throw WeightKinds.mismatch(operator, w, "a linear weight");
    }

    long address() {
      return whole.address() + from * in() * whole.elementBytes;
    }

    /** Of the bias, or 0. */
    long biasAddress() {
      return whole.biasOffset == 0
          ? 0
          : whole.address() + whole.biasOffset + from * whole.elementBytes;
    }

    long out() {
      return to - from;
    }

    long in() {
      return whole.shape().dim(1);
    }

    @Override
    public String name() {
      return whole.name();
    }

    @Override
    public Shape shape() {
      return Shape.of(out(), in());
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public PreparedWeight rows(long first, long end) {
      WeightChecks.rows(name(), whole.cuts, from + first, from + end);
      if (from + end > to) {
        throw new IllegalArgumentException(
            name() + ": rows [" + first + ", " + end + ") of " + out());
      }
      return new Rows(whole, from + first, from + end);
    }

    @Override
    public void close() {
      // the whole weight owns the memory
    }
  }
}
