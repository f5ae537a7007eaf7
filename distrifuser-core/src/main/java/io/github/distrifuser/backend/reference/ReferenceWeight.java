package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.tensor.Shape;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A weight as floats, with the outputs innermost, so that one input is multiplied with all of them
 * in a run: linear {@code [in][out]}, convolution {@code [kh][kw][in][out]}; norms {@code [c]} and
 * tables {@code [entries][width]} as they are.
 */
final class ReferenceWeight implements PreparedWeight {
  /** What the weight is for. */
  enum Kind {
    LINEAR,
    CONV2D,
    NORM,
    EMBEDDING
  }

  private final Kind kind;
  private final String name;
  private final Shape shape;
  private final float[] values;
  private final float @Nullable [] bias; // of all rows
  private final long[] cuts; // linear: rows of the whole weight at which it may be cut
  private final int firstRow;
  private final int allRows;
  private final boolean owner; // false for a row slice
  private final AtomicBoolean closed; // shared with row slices

  private ReferenceWeight(
      Kind kind,
      String name,
      Shape shape,
      float[] values,
      float @Nullable [] bias,
      long[] cuts,
      int firstRow,
      int allRows,
      boolean owner,
      AtomicBoolean closed) {
    this.kind = kind;
    this.name = name;
    this.shape = shape;
    this.values = values;
    this.bias = bias;
    this.cuts = cuts;
    this.firstRow = firstRow;
    this.allRows = allRows;
    this.owner = owner;
    this.closed = closed;
  }

  static ReferenceWeight of(
      Kind kind, String name, Shape shape, float[] values, float @Nullable [] bias, long... cuts) {
    return new ReferenceWeight(
        kind, name, shape, values, bias, cuts, 0, shape.size(0), true, new AtomicBoolean());
  }

  /** The weight behind the interface, checked to be open and of this kind. */
  static ReferenceWeight of(PreparedWeight w, Kind kind) {
    if (!(w instanceof ReferenceWeight r)) {
      throw new IllegalArgumentException(
          w.name() + ": prepared by another backend: " + w.getClass().getName());
    }
    if (r.kind != kind) {
      throw new IllegalArgumentException(
          w.name() + ": expected a weight prepared as " + kind + ", found " + r.kind);
    }
    if (r.closed.get()) {
      throw new IllegalStateException(w.name() + ": the prepared weight was closed");
    }
    return r;
  }

  float[] values() {
    return values;
  }

  /** Distance in {@link #values} between one input's weights and the next one's. */
  int spacing() {
    return allRows;
  }

  /** The first output among {@link #spacing()}. */
  int firstRow() {
    return firstRow;
  }

  int outputs() {
    return shape.size(0);
  }

  /** Sets each output to its bias, or to zero. */
  void bias(double[] out) {
    for (int o = 0; o < out.length; o++) {
      out[o] = bias == null ? 0 : bias[firstRow + o];
    }
  }

  /** A norm's bias. */
  float biasAt(int channel) {
    return bias == null ? 0 : bias[channel];
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Shape shape() {
    return shape;
  }

  @Override
  public long bytes() {
    long perRow = shape.dim(0) == 0 ? 0 : shape.elements() / shape.dim(0);
    return Float.BYTES * (shape.elements() + (bias == null || perRow == 0 ? 0 : shape.dim(0)));
  }

  @Override
  public PreparedWeight rows(long from, long to) {
    if (kind != Kind.LINEAR) {
      throw new UnsupportedOperationException(name + ": only linear weights have row slices");
    }
    WeightChecks.rows(name, cuts, from, to);
    long[] moved =
        Arrays.stream(cuts).filter(c -> c >= from && c <= to).map(c -> c - from).toArray();
    return new ReferenceWeight(
        kind,
        name + "[" + from + ":" + to + "]",
        shape.with(0, to - from),
        values,
        bias,
        moved,
        Math.toIntExact(firstRow + from),
        allRows,
        false,
        closed);
  }

  @Override
  public void close() {
    if (owner) {
      closed.set(true);
    }
  }
}
