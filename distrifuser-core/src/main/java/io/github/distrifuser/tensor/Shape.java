package io.github.distrifuser.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/** An immutable list of dimensions, each at least 0; the number of elements fits a long. */
public final class Shape {
  private final long[] dims;
  private final long elements;

  private Shape(long[] dims) {
    long n = 1;
    for (long d : dims) {
      if (d < 0) {
        throw new IllegalArgumentException("negative dimension in shape " + Arrays.toString(dims));
      }
      n = Math.multiplyExact(n, d);
    }
    this.dims = dims;
    this.elements = n;
  }

  /** A shape of these dimensions. */
  public static Shape of(long... dims) {
    return new Shape(dims.clone());
  }

  public int rank() {
    return dims.length;
  }

  /** The i-th dimension; a negative index counts from the end. */
  public long dim(int i) {
    return dims[i < 0 ? dims.length + i : i];
  }

  /** The i-th dimension as an int; a negative index counts from the end. */
  public int size(int i) {
    return Math.toIntExact(dim(i));
  }

  public long elements() {
    return elements;
  }

  public long[] toArray() {
    return dims.clone();
  }

  /** Element strides of a dense row-major tensor of this shape. */
  public long[] denseStrides() {
    long[] s = new long[dims.length];
    long n = 1;
    for (int i = dims.length - 1; i >= 0; i--) {
      s[i] = n;
      n *= Math.max(1, dims[i]);
    }
    return s;
  }

  /** A copy with one dimension replaced; a negative index counts from the end. */
  public Shape with(int i, long size) {
    long[] d = dims.clone();
    d[i < 0 ? d.length + i : i] = size;
    return new Shape(d);
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Shape s && Arrays.equals(s.dims, dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** As Python prints a list: {@code [2, 32, 32, 4]}. */
  @Override
  public String toString() {
    return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining(", ", "[", "]"));
  }
}
