package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;
import java.util.List;

/** Sums of several ranks' numbers, in rank order; those of two bytes are rounded once. */
final class RankSums {
  private static final int BLOCK = 4096; // elements

  private final DType dtype;
  private final float[] sum = new float[BLOCK];
  private final float[] part = new float[BLOCK];

  RankSums(DType dtype) {
    this.dtype = dtype;
  }

  /**
   * Writes the sums.
   *
   * @param ranks each rank's numbers, in rank order, of equal size; one of them may be the target
   */
  void sum(List<HostBytes> ranks, HostBytes target) {
    List<HostBytes.Cursor> from = ranks.stream().map(HostBytes::cursor).toList();
    HostBytes.Cursor to = target.cursor();
    int width = dtype.bytes();
    while (to.left() > 0) {
      ByteBuffer out = to.next(BLOCK * width);
      int n = out.remaining() / width;
      read(from.get(0), sum, n);
      for (int r = 1; r < from.size(); r++) {
        read(from.get(r), part, n);
        for (int i = 0; i < n; i++) {
          sum[i] += part[i];
        }
      }
      write(out, n);
    }
  }

  private void read(HostBytes.Cursor from, float[] into, int n) {
    int width = dtype.bytes();
    for (int at = 0; at < n; ) {
      ByteBuffer in = from.next((n - at) * width);
      int count = in.remaining() / width;
      switch (dtype) {
        case F32 -> in.asFloatBuffer().get(into, at, count);
        case F16 -> {
          for (int i = 0; i < count; i++) {
            into[at + i] = HalfFloats.f16ToFloat(in.getShort(2 * i));
          }
        }
        default -> {
          for (int i = 0; i < count; i++) {
            into[at + i] = HalfFloats.bf16ToFloat(in.getShort(2 * i));
          }
        }
      }
      at += count;
    }
  }

  private void write(ByteBuffer out, int n) {
    switch (dtype) {
      case F32 -> out.asFloatBuffer().put(sum, 0, n);
      case F16 -> {
        for (int i = 0; i < n; i++) {
          out.putShort(2 * i, HalfFloats.floatToF16(sum[i]));
        }
      }
      default -> {
        for (int i = 0; i < n; i++) {
          out.putShort(2 * i, HalfFloats.floatToBf16(sum[i]));
        }
      }
    }
  }
}
