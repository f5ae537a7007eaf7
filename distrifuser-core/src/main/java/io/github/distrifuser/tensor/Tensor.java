package io.github.distrifuser.tensor;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A strided view over a {@link Storage}. Dimensions are listed in the order in which they lie in
 * memory: a feature map that diffusers calls NCHW is {@code [batch, height, width, channels]} here,
 * tokens are {@code [batch, length, channels]}, and the two are the same bytes.
 *
 * <p>The tensor that a backend allocated owns its storage and frees it when closed. Views share the
 * storage and own nothing: closing a view has no effect. Closing is idempotent.
 */
public final class Tensor implements AutoCloseable {
  private final Storage storage;
  private final DType dtype;
  private final Shape shape;
  private final long[] strides; // in elements
  private final long offset; // in elements
  private final @Nullable Tensor base;
  private final boolean owner;

  private Tensor(
      Storage storage,
      DType dtype,
      Shape shape,
      long[] strides,
      long offset,
      @Nullable Tensor base,
      boolean owner) {
    this.storage = storage;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.base = base;
    this.owner = owner;
  }

  /** A dense tensor over all of a storage, which it owns. For backends. */
  public static Tensor owning(Storage storage, DType dtype, Shape shape) {
    return new Tensor(storage, dtype, shape, shape.denseStrides(), 0, null, true);
  }

  public DType dtype() {
    return dtype;
  }

  public Shape shape() {
    return shape;
  }

  /** The i-th dimension as an int; a negative index counts from the end. */
  public int size(int i) {
    return shape.size(i);
  }

  /** Distance in elements between neighbours along dimension i; negative counts from the end. */
  public long stride(int i) {
    return strides[i < 0 ? strides.length + i : i];
  }

  public Storage storage() {
    return storage;
  }

  /** First element's distance from the start of the storage, in bytes. */
  public long byteOffset() {
    return offset * dtype.bytes();
  }

  /** Address of the first element. */
  public long address() {
    return storage.address() + byteOffset();
  }

  /** Number of elements times the element's size, in bytes. */
  public long byteSize() {
    return Math.multiplyExact(shape.elements(), (long) dtype.bytes());
  }

  /** The tensor that this one is a view of, or null for one that owns its storage. */
  public @Nullable Tensor base() {
    return base;
  }

  /** True when the elements lie one after another without gaps, in row-major order. */
  public boolean isDense() {
    return isDenseFrom(0);
  }

  /** True when dimensions {@code from..} are dense: for each index before, one unbroken run. */
  public boolean isDenseFrom(int from) {
    long n = 1;
    for (int i = shape.rank() - 1; i >= from; i--) {
      if (shape.dim(i) != 1 && strides[i] != n) {
        return false;
      }
      n *= shape.dim(i);
    }
    return true;
  }

  /** Rows {@code [from, to)} of dimension {@code dim}: a view. */
  public Tensor slice(int dim, long from, long to) {
    int d = dim < 0 ? shape.rank() + dim : dim;
    if (from < 0 || to < from || to > shape.dim(d)) {
      throw new IndexOutOfBoundsException(
          "slice [" + from + ", " + to + ") of dimension " + d + " of " + shape);
    }
    return new Tensor(
        storage,
        dtype,
        shape.with(d, to - from),
        strides,
        offset + from * strides[d],
        root(),
        false);
  }

  /**
   * As {@link #slice}, but closing the slice frees the whole tensor: for a piece that is handed on
   * in place of the tensor that it is cut from.
   */
  public Tensor owningSlice(int dim, long from, long to) {
    Tensor v = slice(dim, from, to);
    return new Tensor(storage, dtype, v.shape, v.strides, v.offset, root(), true);
  }

  /**
   * The same elements under another shape: a view.
   *
   * <p>Dimensions may be split and merged where the strides allow it: a tensor with gaps between
   * its batches can still turn {@code [b, h, w, c]} into {@code [b, h*w, c]}.
   *
   * @throws IllegalArgumentException where the count differs or gaps forbid it
   */
  public Tensor reshape(long... dims) {
    Shape s = Shape.of(dims);
    if (s.elements() != shape.elements()) {
      throw new IllegalArgumentException("cannot view " + shape + " as " + s);
    }
    long[] st = isDense() ? s.denseStrides() : regroup(s);
    return new Tensor(storage, dtype, s, st, offset, root(), false);
  }

  private long[] regroup(Shape target) {
    if (shape.rank() > 1 && shape.dim(0) == target.dim(0) && isDenseFrom(1)) {
      long[] st = target.denseStrides();
      st[0] = strides[0];
      return st;
    }
    if (shape.dim(-1) == target.dim(-1) && strides[strides.length - 1] == 1 && rowsUniform()) {
      // [.., c] with one row distance throughout, as a column slice of a dense tensor has it
      long row = strides[strides.length - 2];
      long[] st = new long[target.rank()];
      st[st.length - 1] = 1;
      long n = row;
      for (int i = st.length - 2; i >= 0; i--) {
        st[i] = n;
        n *= target.dim(i);
      }
      return st;
    }
    throw new IllegalArgumentException(
        "cannot view " + shape + " with strides " + Arrays.toString(strides) + " as " + target);
  }

  /** True when all dimensions but the last merge into one with a single stride. */
  private boolean rowsUniform() {
    for (int i = 0; i < shape.rank() - 2; i++) {
      if (shape.dim(i) != 1 && strides[i] != strides[i + 1] * shape.dim(i + 1)) {
        return false;
      }
    }
    return shape.rank() >= 2;
  }

  private Tensor root() {
    return base == null ? this : base;
  }

  /** Frees the storage if this tensor owns it; a plain view's close does nothing. */
  @Override
  public void close() {
    if (owner) {
      storage.close();
    }
  }

  @Override
  public String toString() {
    return dtype + shape.toString() + (isDense() ? "" : " strides " + Arrays.toString(strides));
  }
}
