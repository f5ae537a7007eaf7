package io.github.distrifuser.comm.local;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A sum over all ranks of a group, in place in each one's tensor. It begins when all have joined,
 * and any number of threads may take part, block by block. Elements are added in rank order and in
 * F32; a half-precision sum is rounded once. All but {@link #sumBlocks} is called under the world's
 * lock.
 */
final class Reduction {
  private static final int BLOCK_BYTES = 1 << 16;

  private final @Nullable LocalWork[] works; // by rank
  private int joined;
  private List<LocalWork> all = List.of(); // once all have joined
  private List<HostBytes> parts = List.of();
  private DType dtype = DType.F32;
  private long blocks;
  private final AtomicLong nextBlock = new AtomicLong();
  private long finished;
  private boolean ended;
  private @Nullable Failure failure;

  Reduction(int size) {
    works = new @Nullable LocalWork[size];
  }

  /** A rank brings its part; the last one's joining makes the sum {@link #complete}. */
  void join(LocalWork work) {
    works[work.rank] = work;
    if (++joined < works.length) {
      return;
    }
    List<LocalWork> ws = new ArrayList<>();
    List<HostBytes> ps = new ArrayList<>();
    for (LocalWork w : works) {
      if (w != null && w.part != null) {
        ws.add(w);
        ps.add(w.part);
        if (w.failure != null) {
          fail(w.failure);
        }
      }
    }
    all = ws;
    parts = ps;
    dtype = work.dtype;
    blocks = (work.part == null ? 0 : work.part.length() + BLOCK_BYTES - 1) / BLOCK_BYTES;
  }

  boolean hasJoined(int rank) {
    return works[rank] != null;
  }

  /** True once all have joined. */
  boolean complete() {
    return joined == works.length;
  }

  /** True while there is a block for one more thread. */
  boolean needsHands() {
    return complete() && failure == null && nextBlock.get() < blocks;
  }

  /** Once all have joined, whose tensors are read and written. */
  List<LocalWork> works() {
    return all;
  }

  @Nullable Failure failure() {
    return failure;
  }

  void fail(Failure f) {
    if (failure == null) {
      failure = f;
    }
    nextBlock.set(Long.MAX_VALUE / 2);
  }

  /** Notes the work of one thread; true, once, when all is summed. */
  boolean finish(long count) {
    finished += count;
    boolean last = !ended && failure == null && finished == blocks;
    ended |= last;
    return last;
  }

  /** Sums blocks until none is left; how many. */
  long sumBlocks() {
    float[] sum = new float[BLOCK_BYTES / dtype.bytes()];
    float[] term = new float[sum.length];
    long count = 0;
    for (long b = nextBlock.getAndIncrement(); b < blocks; b = nextBlock.getAndIncrement()) {
      long to = Math.min(parts.get(0).length(), (b + 1) * BLOCK_BYTES);
      for (long at = b * BLOCK_BYTES; at < to; ) {
        at += sumRun(at, (int) (to - at), sum, term);
      }
      count++;
    }
    return count;
  }

  /** Sums bytes that lie together in all parts; how many. */
  private int sumRun(long at, int most, float[] sum, float[] term) {
    List<ByteBuffer> runs = new ArrayList<>();
    int bytes = most;
    for (HostBytes p : parts) {
      ByteBuffer run = p.view(at, bytes);
      runs.add(run);
      bytes = run.remaining();
    }
    int n = bytes / dtype.bytes();
    read(runs.get(0), sum, n);
    for (ByteBuffer run : runs.subList(1, runs.size())) {
      read(run, term, n);
      for (int i = 0; i < n; i++) {
        sum[i] += term[i];
      }
    }
    for (ByteBuffer run : runs) {
      write(sum, run, n);
    }
    return bytes;
  }

  private void read(ByteBuffer from, float[] to, int n) {
    if (dtype == DType.F32) {
      FloatBuffer floats = from.asFloatBuffer();
      floats.get(to, 0, n);
      return;
    }
    ShortBuffer shorts = from.asShortBuffer();
    for (int i = 0; i < n; i++) {
      short s = shorts.get(i);
      to[i] = dtype == DType.F16 ? HalfFloats.f16ToFloat(s) : HalfFloats.bf16ToFloat(s);
    }
  }

  private void write(float[] from, ByteBuffer to, int n) {
    if (dtype == DType.F32) {
      to.asFloatBuffer().put(from, 0, n);
      return;
    }
    ShortBuffer shorts = to.asShortBuffer();
    for (int i = 0; i < n; i++) {
      float f = from[i];
      shorts.put(i, dtype == DType.F16 ? HalfFloats.floatToF16(f) : HalfFloats.floatToBf16(f));
    }
  }
}
