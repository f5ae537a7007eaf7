package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.bytedeco.dnnl.dnnl_memory_desc;

/**
 * Attention in one pass over blocks of keys that stay in the caches; each worker takes some queries
 * of some heads and never waits for another. The first product stores {@code exp(q k^T * scale)};
 * the second adds its product with the values, which have one more channel of ones, so that its
 * last column is the softmax's denominator. Nothing is subtracted from the scores, which changes no
 * digit of the quotient while all lie within the range of floats: the denominator tells, and a
 * block of queries where it comes out extreme is left to the caller.
 */
final class StreamedAttention {
  private static final int QUERIES = 128;
  private static final int KEYS = 256;

  /** Bytes of scores that a worker holds at a time, in its second-level cache. */
  private static final long SCORES = 256L << 10;

  /** With fewer keys or queries, keys are not worth packing: all scores stay in the caches. */
  private static final int FEWEST = 1536;

  /** Denominators between this and its inverse leave the scores' exponentials exact. */
  private static final float LARGEST = 1e30f;

  private final DnnContext context;

  StreamedAttention(DnnContext context) {
    this.context = context;
  }

  private record ProductKey(
      int heads,
      int rows,
      int in,
      int out,
      long aHead,
      long aRow,
      long cHead,
      long cRow,
      float scale,
      boolean exponential,
      boolean sum,
      DType dtype,
      DType result) {}

  /** Does a block of queries over again. */
  interface Exact {
    void attention(int batch, int from, int to);
  }

  /** Whether this is the faster way. */
  static boolean serves(Tensor q, Tensor k, boolean causal) {
    return !causal && q.shape().dim(1) >= FEWEST && k.shape().dim(1) >= FEWEST;
  }

  /** As {@code Backend.attention}, not causal; {@code exact} gets what cannot be done here. */
  void attention(Tensor q, Tensor k, Tensor v, int heads, float scale, Tensor out, Exact exact) {
    Plan plan = new Plan(q, k, v, heads, scale, out);
    plan.reserve();
    int rowBlocks = (plan.queries + plan.rows - 1) / plan.rows;
    int groups = heads / plan.together;
    for (int b = 0; b < q.size(0); b++) {
      int batch = b;
      plan.pack(b);
      AtomicIntegerArray extreme = new AtomicIntegerArray(rowBlocks);
      context
          .workers()
          .run(
              rowBlocks * groups,
              (i, scratch) -> {
                int block = i % rowBlocks;
                int head = i / rowBlocks * plan.together;
                int from = block * plan.rows;
                int n = Math.min(plan.rows, plan.queries - from);
                DnnContext own = context.ofWorker(scratch.worker);
                plan.products(own, batch, head, from, n);
                if (!plan.divide(own, batch, head, from, n)) {
                  extreme.set(block, 1);
                }
              });
      for (int i = 0; i < rowBlocks; i++) {
        if (extreme.get(i) != 0) {
          exact.attention(b, i * plan.rows, Math.min(plan.queries, (i + 1) * plan.rows));
        }
      }
    }
  }

  /** One call's sizes and memory. */
  private final class Plan {
    final Tensor q;
    final Tensor k;
    final Tensor v;
    final Tensor out;
    final int heads;
    final float scale;
    final DType dtype;
    final int queries;
    final int keys;
    final int d;
    final int dv;
    final int
        columns; // of the second product: the values, the ones, and zeros up to a whole vector
    final int blocks;
    final int block;
    final int rows;
    final int together; // heads of one product
    final HeadPacker[] keyPackers = new HeadPacker[2]; // whole blocks, and the last
    final HeadPacker[] valuePackers = new HeadPacker[2];
    SlabAllocator.Block packedKeys;
    SlabAllocator.Block packedValues;

    Plan(Tensor q, Tensor k, Tensor v, int heads, float scale, Tensor out) {
      this.q = q;
      this.k = k;
      this.v = v;
      this.out = out;
      this.heads = heads;
      this.scale = scale;
      dtype = q.dtype();
      queries = q.size(1);
      keys = k.size(1);
      d = q.size(2) / heads;
      dv = v.size(2) / heads;
      columns = (dv + 1 + 15) / 16 * 16;
      int wanted = (keys + KEYS - 1) / KEYS;
      block = wanted == 1 ? keys : ((keys + wanted - 1) / wanted + 63) / 64 * 64;
      blocks = (keys + block - 1) / block;
      rows = Math.min(QUERIES, queries);
      int most = (int) Math.max(1, SCORES / ((long) rows * block * dtype.bytes()));
      int n = Math.min(heads, most);
      while (heads % n != 0) {
        n--;
      }
      together = n;
    }

    int tokens(int block) {
      return Math.min(this.block, keys - block * this.block);
    }

    void reserve() {
      for (int last = 0; last < 2; last++) {
        int n = tokens(last == 0 ? 0 : blocks - 1);
        DnnContext any = context.ofWorker(0);
        keyPackers[last] = new HeadPacker(first(any, rows, n).layout(1, 3), true);
        valuePackers[last] = new HeadPacker(second(any, rows, n, false).layout(1, 3), false);
      }
      int size = dtype.bytes();
      long groups = heads / together;
      packedKeys =
          context.scratch(
              DnnContext.Scratch.PACKED_KEYS, blocks * groups * keyPackers[0].elements() * size);
      packedValues =
          context.scratch(
              DnnContext.Scratch.PACKED_VALUES,
              blocks * groups * valuePackers[0].elements() * size);
      for (int i = 0; i < context.threads(); i++) { // here, so that places don't depend on timing
        scores(context.ofWorker(i));
        sums(context.ofWorker(i));
      }
    }

    SlabAllocator.Block scores(DnnContext own) {
      long elements = (long) together * rows * Math.min(block, keys);
      return own.scratch(DnnContext.Scratch.SCORES, elements * dtype.bytes());
    }

    SlabAllocator.Block sums(DnnContext own) {
      return own.scratch(DnnContext.Scratch.SUMS, (long) together * rows * columns * Float.BYTES);
    }

    /** First element of a group of heads in a block of keys or values that are packed. */
    long place(HeadPacker[] packers, int block, int head) {
      long groups = heads / together;
      int last = block == blocks - 1 ? 1 : 0;
      return block * groups * packers[0].elements() + head / together * packers[last].elements();
    }

    DnnPrimitive first(DnnContext own, int m, int n) {
      ProductKey key =
          new ProductKey(
              together, m, d, n, d, q.stride(1), (long) m * n, n, scale, true, false, dtype, dtype);
      return own.primitive(key, () -> product(key));
    }

    DnnPrimitive second(DnnContext own, int m, int n, boolean sum) {
      ProductKey key =
          new ProductKey(
              together,
              m,
              n,
              columns,
              (long) m * n,
              n,
              columns,
              (long) together * columns,
              1,
              false,
              sum,
              dtype,
              DType.F32);
      return own.primitive(key, () -> product(key));
    }

    void pack(int b) {
      HostView sourceKeys = HostView.of(k);
      HostView sourceValues = HostView.of(v);
      HostView targetKeys = HostView.of(packedKeys, dtype);
      HostView targetValues = HostView.of(packedValues, dtype);
      context
          .workers()
          .run(
              blocks * heads,
              (i, scratch) -> {
                int block = i / heads;
                int head = i % heads;
                int n = tokens(block);
                int last = block == blocks - 1 ? 1 : 0;
                long from = (long) block * this.block;
                keyPackers[last].pack(
                    sourceKeys,
                    b * k.stride(0) + from * k.stride(1),
                    k.stride(1),
                    n,
                    head,
                    head % together,
                    d,
                    false,
                    targetKeys,
                    place(keyPackers, block, head));
                valuePackers[last].pack(
                    sourceValues,
                    b * v.stride(0) + from * v.stride(1),
                    v.stride(1),
                    n,
                    head,
                    head % together,
                    dv,
                    true,
                    targetValues,
                    place(valuePackers, block, head));
              });
    }

    /** Both products of some queries of a group of heads with all keys and values. */
    void products(DnnContext own, int b, int head, int row, int m) {
      int size = dtype.bytes();
      long from = q.address() + (b * q.stride(0) + row * q.stride(1) + (long) head * d) * size;
      long scores = scores(own).address();
      long sums = sums(own).address();
      for (int i = 0; i < blocks; i++) {
        int n = tokens(i);
        long keyBlock = packedKeys.address() + place(keyPackers, i, head) * size;
        long valueBlock = packedValues.address() + place(valuePackers, i, head) * size;
        own.run(first(own, m, n), from, keyBlock, scores);
        own.run(second(own, m, n, i > 0), scores, valueBlock, sums);
      }
    }

    /** Writes the quotients; false where a denominator is extreme or not a number. */
    boolean divide(DnnContext own, int b, int head, int row, int m) {
      HostView in = HostView.of(sums(own), DType.F32);
      HostView target = HostView.of(out);
      int width = together * columns;
      float[] x = new float[width];
      float[] y = new float[together * dv];
      HostScratch scratch = new HostScratch(y.length);
      for (int r = 0; r < m; r++) {
        in.readFloats((long) r * width, x, width);
        for (int h = 0; h < together; h++) {
          float sum = x[h * columns + dv];
          if (!(sum <= LARGEST && sum >= 1 / LARGEST)) {
            return false;
          }
          scaled(x, h * columns, y, h * dv, dv, 1 / sum);
        }
        long to = b * out.stride(0) + (row + r) * out.stride(1) + (long) head * dv;
        target.write(to, y, 0, y.length, scratch);
      }
      return true;
    }
  }

  private static void scaled(float[] x, int from, float[] y, int to, int n, float factor) {
    for (int i = 0; i < n; i++) {
      y[to + i] = x[from + i] * factor;
    }
  }

  private static DnnPrimitive product(ProductKey k) {
    try (Attr attr = new Attr().scale(k.scale);
        Md a =
            Md.strided(
                k.dtype, new long[] {k.heads, k.rows, k.in}, new long[] {k.aHead, k.aRow, 1});
        Md b = Md.any(k.dtype, k.heads, k.in, k.out);
        Md c =
            Md.strided(
                k.result, new long[] {k.heads, k.rows, k.out}, new long[] {k.cHead, k.cRow, 1})) {
      if (k.exponential) {
        attr.exp();
      }
      if (k.sum) {
        attr.sum();
      }
      dnnl_memory_desc noBias = new dnnl_memory_desc();
      return new DnnPrimitive(
          "attention product " + k,
          attr,
          (pd, at) ->
              dnnl_matmul_primitive_desc_create(
                  pd, OneDnn.engine(), a.handle(), b.handle(), noBias, c.handle(), at),
          DNNL_ARG_SRC,
          DNNL_ARG_WEIGHTS,
          DNNL_ARG_DST);
    }
  }
}
