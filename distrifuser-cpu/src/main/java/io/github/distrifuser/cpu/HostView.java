package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;

/**
 * A tensor's memory for host kernels: runs of elements are copied to and from heap arrays in bulk,
 * as floats whatever the type, so that loops over the arrays vectorise.
 */
final class HostView {
  private final Slab slab;
  private final DType dtype;
  private final long base; // bytes from the slab's start

  private HostView(Slab slab, DType dtype, long base) {
    this.slab = slab;
    this.dtype = dtype;
    this.base = base;
  }

  static HostView of(Tensor t) {
    if (!(t.storage() instanceof TensorMemory.NativeStorage s)) {
      throw new IllegalArgumentException(
          "not a tensor of a oneDNN backend: " + t + " in " + t.storage().getClass().getName());
    }
    SlabAllocator.Block b = s.block();
    return new HostView(b.slab(), t.dtype(), b.offset() + t.byteOffset());
  }

  static HostView of(SlabAllocator.Block b, DType dtype) {
    return new HostView(b.slab(), dtype, b.offset());
  }

  /** All of a slab, as floats. */
  static HostView of(Slab slab) {
    return new HostView(slab, DType.F32, 0);
  }

  DType dtype() {
    return dtype;
  }

  /** Copies {@code n} elements from {@code element} on; n up to the scratch's block for halves. */
  void read(long element, float[] target, int offset, int n, HostScratch scratch) {
    long at = base + element * dtype.bytes();
    int window = (int) (at >> Slab.WINDOW_BITS);
    int within = (int) (at - ((long) window << Slab.WINDOW_BITS));
    switch (dtype) {
      case F32 -> slab.floats(window).get(within / 4, target, offset, n);
      case BF16 -> {
        short[] w = scratch.words;
        slab.shorts(window).get(within / 2, w, 0, n);
        for (int i = 0; i < n; i++) {
          target[offset + i] = Float.intBitsToFloat(w[i] << 16);
        }
      }
      case F16 -> {
        short[] w = scratch.words;
        slab.shorts(window).get(within / 2, w, 0, n);
        for (int i = 0; i < n; i++) {
          target[offset + i] = HalfFloats.f16ToFloat(w[i]);
        }
      }
      default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
    }
  }

  /** The reverse of {@link #read}, rounding to nearest even. */
  void write(long element, float[] source, int offset, int n, HostScratch scratch) {
    long at = base + element * dtype.bytes();
    int window = (int) (at >> Slab.WINDOW_BITS);
    int within = (int) (at - ((long) window << Slab.WINDOW_BITS));
    switch (dtype) {
      case F32 -> slab.floats(window).put(within / 4, source, offset, n);
      case BF16 -> {
        short[] w = scratch.words;
        for (int i = 0; i < n; i++) {
          w[i] = HalfFloats.floatToBf16(source[offset + i]);
        }
        slab.shorts(window).put(within / 2, w, 0, n);
      }
      case F16 -> {
        short[] w = scratch.words;
        for (int i = 0; i < n; i++) {
          w[i] = HalfFloats.floatToF16(source[offset + i]);
        }
        slab.shorts(window).put(within / 2, w, 0, n);
      }
      default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
    }
  }

  /** Copies any number of floats to the start of an array. */
  void readFloats(long element, float[] target, int n) {
    long at = base + element * Float.BYTES;
    int window = (int) (at >> Slab.WINDOW_BITS);
    slab.floats(window)
        .get((int) (at - ((long) window << Slab.WINDOW_BITS)) / Float.BYTES, target, 0, n);
  }

  /** The reverse of {@link #readFloats}. */
  void writeFloats(long element, float[] source, int n) {
    long at = base + element * Float.BYTES;
    int window = (int) (at >> Slab.WINDOW_BITS);
    slab.floats(window)
        .put((int) (at - ((long) window << Slab.WINDOW_BITS)) / Float.BYTES, source, 0, n);
  }

  /** Copies {@code n} elements of a 16-bit type as they are. */
  void readWords(long element, short[] target, int n) {
    long at = base + element * Short.BYTES;
    int window = (int) (at >> Slab.WINDOW_BITS);
    slab.shorts(window)
        .get((int) (at - ((long) window << Slab.WINDOW_BITS)) / Short.BYTES, target, 0, n);
  }

  /** The reverse of {@link #readWords}. */
  void writeWords(long element, short[] source, int n) {
    long at = base + element * Short.BYTES;
    int window = (int) (at >> Slab.WINDOW_BITS);
    slab.shorts(window)
        .put((int) (at - ((long) window << Slab.WINDOW_BITS)) / Short.BYTES, source, 0, n);
  }

  /** Copies elements of the same type, less than a gibibyte. */
  void copyTo(long element, HostView target, long targetElement, long n) {
    long from = base + element * dtype.bytes();
    long to = target.base + targetElement * dtype.bytes();
    int w = (int) (from >> Slab.WINDOW_BITS);
    int v = (int) (to >> Slab.WINDOW_BITS);
    ByteBuffer source = slab.bytes(w);
    target
        .slab
        .bytes(v)
        .put(
            (int) (to - ((long) v << Slab.WINDOW_BITS)),
            source,
            (int) (from - ((long) w << Slab.WINDOW_BITS)),
            (int) (n * dtype.bytes()));
  }
}
