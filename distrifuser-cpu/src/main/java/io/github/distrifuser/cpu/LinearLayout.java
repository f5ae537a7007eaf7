package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedSet;
import org.jspecify.annotations.Nullable;

/**
 * The blocked layout in which oneDNN multiplies fastest with a linear layer's weight {@code [out,
 * in]}, which it calls {@code [in, out]}, and with its row slices, each of which is one piece of
 * memory.
 */
final class LinearLayout implements AutoCloseable {
  private final BlockedLayout whole;
  private final Map<Long, WeightLayout> slices = new HashMap<>(); // by their number of rows

  private LinearLayout(long rows, WeightLayout all) {
    whole = all.layout();
    slices.put(rows, all);
  }

  /**
   * @param dtype type of activations and weight
   * @param cuts rows at which slices may begin and end, 0 and the number of rows among them
   * @return null where nothing is to be packed, a slice would not be one piece of memory, or would
   *     not be fast so
   */
  static @Nullable LinearLayout choose(DType dtype, long in, SortedSet<Long> cuts) {
    long out = cuts.last();
    Md md;
    try {
      md = MatmulOps.layout(dtype, in, out);
    } catch (DnnPrimitive.NotFastException e) {
      return null;
    }
    LinearLayout all = new LinearLayout(out, WeightLayout.of(md, 2));
    BlockedLayout whole = all.whole;
    boolean served = false;
    try {
      int block = whole.blockOf(1);
      served =
          !whole.innerBlocks().isEmpty()
              && whole.strides().get(1) == whole.paddedDims().get(0) * block
              && cuts.stream().allMatch(c -> c == out || c % block == 0);
      for (long from : cuts) {
        for (long to : cuts.tailSet(from + 1)) {
          served = served && all.describe(dtype, in, to - from, md);
        }
      }
      return served ? all : null;
    } finally {
      if (!served) {
        all.close();
      }
    }
  }

  /** Adds a slice, and says whether it is in whole blocks and fast. */
  private boolean describe(DType dtype, long in, long rows, Md all) {
    if (slices.containsKey(rows)) {
      return true;
    }
    if (rows % whole.blockOf(1) != 0) {
      return false;
    }
    Md md = Md.first(all, in, rows);
    slices.put(rows, WeightLayout.of(md, 2));
    return MatmulOps.isFast(dtype, md, whole.toString(), in, rows);
  }

  /** Where all rows lie. */
  BlockedLayout whole() {
    return whole;
  }

  /** First element of the memory of the rows from one on. */
  long place(long row) {
    return row / whole.blockOf(1) * whole.strides().get(1);
  }

  /** Of so many rows between two cuts. */
  WeightLayout slice(long rows) {
    WeightLayout s = slices.get(rows);
    if (s == null) {
      throw new IllegalArgumentException("no slice of " + rows + " rows in " + slices.keySet());
    }
    return s;
  }

  @Override
  public void close() {
    slices.values().forEach(s -> s.md().close());
  }
}
