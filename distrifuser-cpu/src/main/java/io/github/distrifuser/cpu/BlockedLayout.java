package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_query;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_inner_blks;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_inner_idxs;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_inner_nblks_s32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_padded_dims;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_strides;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * Where the elements of a oneDNN blocked layout lie. The place is a sum of one term for each
 * dimension, for each inner block belongs to one.
 *
 * @param paddedDims dimensions rounded up to whole blocks
 * @param strides of the outer dimensions, in elements
 * @param innerBlocks sizes, outermost first
 * @param innerDims the dimension that each inner block divides
 */
record BlockedLayout(
    List<Long> paddedDims, List<Long> strides, List<Long> innerBlocks, List<Long> innerDims) {

  static BlockedLayout of(dnnl_memory_desc md, int rank) {
    int inner;
    try (IntPointer n = new IntPointer(1)) {
      query(md, dnnl_query_inner_nblks_s32, n);
      inner = n.get(0);
    }
    return new BlockedLayout(
        longs(md, dnnl_query_padded_dims, rank),
        longs(md, dnnl_query_strides, rank),
        longs(md, dnnl_query_inner_blks, inner),
        longs(md, dnnl_query_inner_idxs, inner));
  }

  private static List<Long> longs(dnnl_memory_desc md, int what, int n) {
    try (PointerPointer<Pointer> out = new PointerPointer<>(1)) {
      query(md, what, out);
      long[] values = new long[n];
      if (n > 0) {
        new LongPointer(out.get(0)).get(values);
      }
      return Arrays.stream(values).boxed().toList();
    }
  }

  private static void query(dnnl_memory_desc md, int what, Pointer out) {
    OneDnn.check(dnnl_memory_desc_query(md, what, out), "query a layout");
  }

  /** Number of elements, padding included. */
  long elements() {
    return paddedDims.stream().reduce(1L, Math::multiplyExact);
  }

  /** How many neighbours along a dimension share a block. */
  int blockOf(int dim) {
    long n = 1;
    for (int i = 0; i < innerBlocks.size(); i++) {
      n *= innerDims.get(i) == dim ? innerBlocks.get(i) : 1;
    }
    return Math.toIntExact(n);
  }

  /** What each index of a dimension adds to an element's place. */
  int[] offsets(int dim) {
    int[] offsets = new int[Math.toIntExact(paddedDims.get(dim))];
    for (int i = 0; i < offsets.length; i++) {
      long rest = i;
      long at = 0;
      long stride = 1;
      for (int k = innerBlocks.size() - 1; k >= 0; k--) {
        long size = innerBlocks.get(k);
        if (innerDims.get(k) == dim) {
          at += rest % size * stride;
          rest /= size;
        }
        stride *= size;
      }
      offsets[i] = Math.toIntExact(at + rest * strides.get(dim));
    }
    return offsets;
  }
}
