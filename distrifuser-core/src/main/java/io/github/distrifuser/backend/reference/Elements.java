package io.github.distrifuser.backend.reference;

import io.github.distrifuser.tensor.Runs;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/** Moves a tensor's elements of any strides to and from float arrays, in row-major order. */
final class Elements {
  private Elements() {}

  static float[] read(Tensor t) {
    float[] out = new float[Math.toIntExact(t.shape().elements())];
    read(t, out, 0);
    return out;
  }

  static void read(Tensor t, float[] target, int offset) {
    ByteBuffer bytes = t.storage().buffer(0, Math.toIntExact(t.storage().byteSize()));
    Runs runs = Runs.of(t);
    int n = Math.toIntExact(runs.length());
    int to = offset;
    switch (t.dtype()) {
      case F32 -> {
        FloatBuffer f = bytes.asFloatBuffer();
        for (; runs.hasNext(); to += n) {
          f.get((int) runs.next(), target, to, n);
        }
      }
      case F16 -> {
        ShortBuffer s = bytes.asShortBuffer();
        for (; runs.hasNext(); to += n) {
          int from = (int) runs.next();
          for (int i = 0; i < n; i++) {
            target[to + i] = HalfFloats.f16ToFloat(s.get(from + i));
          }
        }
      }
      case BF16 -> {
        ShortBuffer s = bytes.asShortBuffer();
        for (; runs.hasNext(); to += n) {
          int from = (int) runs.next();
          for (int i = 0; i < n; i++) {
            target[to + i] = HalfFloats.bf16ToFloat(s.get(from + i));
          }
        }
      }
      default -> throw notFloat("read", t);
    }
  }

  static void write(float[] source, Tensor t) {
    write(source, 0, t);
  }

  static void write(float[] source, int offset, Tensor t) {
    ByteBuffer bytes = t.storage().buffer(0, Math.toIntExact(t.storage().byteSize()));
    Runs runs = Runs.of(t);
    int n = Math.toIntExact(runs.length());
    int from = offset;
    switch (t.dtype()) {
      case F32 -> {
        FloatBuffer f = bytes.asFloatBuffer();
        for (; runs.hasNext(); from += n) {
          f.put((int) runs.next(), source, from, n);
        }
      }
      case F16 -> {
        ShortBuffer s = bytes.asShortBuffer();
        for (; runs.hasNext(); from += n) {
          int to = (int) runs.next();
          for (int i = 0; i < n; i++) {
            s.put(to + i, HalfFloats.floatToF16(source[from + i]));
          }
        }
      }
      case BF16 -> {
        ShortBuffer s = bytes.asShortBuffer();
        for (; runs.hasNext(); from += n) {
          int to = (int) runs.next();
          for (int i = 0; i < n; i++) {
            s.put(to + i, HalfFloats.floatToBf16(source[from + i]));
          }
        }
      }
      default -> throw notFloat("write", t);
    }
  }

  /** Copies between tensors of one type, whatever it is. */
  static void copyBytes(Tensor source, Tensor target) {
    int width = source.dtype().bytes();
    byte[] all = new byte[Math.toIntExact(source.byteSize())];
    ByteBuffer from = source.storage().buffer(0, Math.toIntExact(source.storage().byteSize()));
    Runs runs = Runs.of(source);
    int n = Math.toIntExact(runs.length() * width);
    for (int at = 0; runs.hasNext(); at += n) {
      from.get((int) runs.next() * width, all, at, n);
    }
    ByteBuffer to = target.storage().buffer(0, Math.toIntExact(target.storage().byteSize()));
    runs = Runs.of(target);
    n = Math.toIntExact(runs.length() * width);
    for (int at = 0; runs.hasNext(); at += n) {
      to.put((int) runs.next() * width, all, at, n);
    }
  }

  private static IllegalArgumentException notFloat(String operator, Tensor t) {
    return new IllegalArgumentException(
        operator + ": tensor: expected F32, F16 or BF16, found " + t);
  }
}
