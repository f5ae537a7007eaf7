package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.HalfFloats;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;

/** A prepared weight that owns native memory, or keeps a mapped file's. */
abstract class NativeWeight implements PreparedWeight {
  private final String name;
  private final Shape shape;
  private final List<Slab> owned = new ArrayList<>();
  private volatile boolean closed;

  NativeWeight(String name, Shape shape) {
    this.name = name;
    this.shape = shape;
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
    return owned.stream().mapToLong(Slab::size).sum();
  }

  @Override
  public PreparedWeight rows(long from, long to) {
    throw new UnsupportedOperationException(name + " is not a linear weight: it has no row slices");
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      owned.forEach(Slab::free);
      onClose();
    }
  }

  /** Frees what is not a slab. */
  void onClose() {}

  void checkOpen() {
    if (closed) {
      throw new IllegalStateException("weight " + name + " used after close");
    }
  }

  /** Memory that is freed with this weight. */
  Slab own(long bytes) {
    Slab s = new Slab(Math.max(64, bytes));
    owned.add(s);
    return s;
  }

  /** Frees what {@link #own} gave, before this weight is. */
  void disown(Slab slab) {
    owned.remove(slab);
    slab.free();
  }

  /** Elements of a vector as native floats, widened without loss. */
  static void putFloats(Slab target, long element, WeightTensor vector) {
    target.floats(0).put(Math.toIntExact(element), vector.toFloats());
  }

  /** Copies a tensor of up to 2 GiB to a place in a slab, converting its type. */
  static void put(Slab target, long byteOffset, DType dtype, WeightTensor source) {
    ByteBuffer data = source.data();
    ByteBuffer out = target.slice(byteOffset, (int) (source.shape().elements() * dtype.bytes()));
    if (source.dtype() == dtype) {
      out.put(data);
      return;
    }
    int n = (int) source.shape().elements();
    float[] block = new float[Math.min(n, HostScratch.BLOCK)];
    FloatBuffer floats = out.asFloatBuffer();
    ShortBuffer shorts = out.asShortBuffer();
    for (int i = 0; i < n; i += block.length) {
      int m = Math.min(block.length, n - i);
      read(source.dtype(), data, i, block, m);
      if (dtype == DType.F32) {
        floats.put(i, block, 0, m);
      } else {
        for (int j = 0; j < m; j++) {
          shorts.put(i + j, fromFloat(dtype, block[j]));
        }
      }
    }
  }

  /** Elements {@code [from, from + n)} of a little-endian buffer as floats. */
  static void read(DType dtype, ByteBuffer data, int from, float[] target, int n) {
    switch (dtype) {
      case F32 -> data.asFloatBuffer().get(from, target, 0, n);
      case F16 -> {
        ShortBuffer s = data.asShortBuffer();
        for (int i = 0; i < n; i++) {
          target[i] = HalfFloats.f16ToFloat(s.get(from + i));
        }
      }
      case BF16 -> {
        ShortBuffer s = data.asShortBuffer();
        for (int i = 0; i < n; i++) {
          target[i] = HalfFloats.bf16ToFloat(s.get(from + i));
        }
      }
      default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
    }
  }

  static short fromFloat(DType dtype, float f) {
    return dtype == DType.F16 ? HalfFloats.floatToF16(f) : HalfFloats.floatToBf16(f);
  }

  /** {@code source/name: expected .., found ..}. */
  static void checkShape(WeightTensor t, Shape expected) {
    if (!t.shape().equals(expected)) {
      throw new IllegalArgumentException(
          t.source() + ": " + t.name() + ": expected " + expected + ", found " + t.shape());
    }
  }
}
