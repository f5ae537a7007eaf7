package io.github.distrifuser.plan;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.tensor.Shape;
import java.util.Arrays;

/** A weight of which only the shape is known. */
final class ShapeWeight implements PreparedWeight {
  private final String name;
  private final Shape shape;
  private final long bytes;
  private final long[] cuts; // rows at which it may be cut; empty where it is not linear

  ShapeWeight(String name, Shape shape, long bytes, long... cuts) {
    this.name = name;
    this.shape = shape;
    this.bytes = bytes;
    this.cuts = cuts;
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
    return bytes;
  }

  @Override
  public PreparedWeight rows(long from, long to) {
    if (cuts.length == 0) {
      throw new UnsupportedOperationException(name + ": only linear weights have row slices");
    }
    WeightChecks.rows(name, cuts, from, to);
    long[] moved =
        Arrays.stream(cuts).filter(c -> c >= from && c <= to).map(c -> c - from).toArray();
    String part = name + "[" + from + ":" + to + "]";
    return new ShapeWeight(
        part, shape.with(0, to - from), bytes * (to - from) / shape.dim(0), moved);
  }

  @Override
  public void close() {}
}
