package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.HalfFloats;
import io.github.distrifuser.weights.WeightTensor;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A convolution's weight in a layout that oneDNN chose, with its bias in floats. One layout serves
 * nearly all shapes of feature maps; for one that it does not serve, a second copy is made.
 */
final class ConvWeight extends NativeWeight {
  private final DType dtype;
  private final List<Packing> packings = new CopyOnWriteArrayList<>();
  private boolean transformedBefore;
  private @Nullable Transformed transformed;
  private final Slab bias; // [out], zeros where the layer has none

  /** The weight in one layout. */
  record Packing(BlockedLayout layout, Md md, Slab memory) {
    long address() {
      return memory.address();
    }
  }

  /**
   * Filters as {@link WinogradConv} multiplies with them, and the budget that they were taken from.
   */
  private record Transformed(BlockedLayout layout, Slab memory, AtomicLong budget) {}

  /**
   * @param md the layout, which this weight takes over
   */
  ConvWeight(
      String name,
      WeightTensor weight,
      @Nullable WeightTensor bias,
      DType dtype,
      Md md,
      Workers workers) {
    super(name, weight.shape());
    this.dtype = dtype;
    Packing p = reserve(md);
    WeightPacker.pack(weight, dtype, p.layout, p.memory, workers);
    packings.add(p);
    long out = shape().dim(0);
    this.bias = own(out * Float.BYTES);
    if (bias == null) {
      this.bias.floats(0).put(0, new float[Math.toIntExact(out)]);
    } else {
      checkShape(bias, Shape.of(out));
      putFloats(this.bias, 0, bias);
    }
  }

  private Packing reserve(Md md) {
    return new Packing(
        BlockedLayout.of(md.handle(), shape().rank()),
        md,
        own(dnnl_memory_desc_get_size(md.handle())));
  }

  DType dtype() {
    return dtype;
  }

  /** The layout that was chosen when the weight was prepared. */
  Packing packing() {
    checkOpen();
    return packings.get(0);
  }

  /** The weight in a certain layout, packed anew the first time. */
  synchronized Packing packing(BlockedLayout layout, Md md) {
    checkOpen();
    for (Packing p : packings) {
      if (p.layout.equals(layout)) {
        return p;
      }
    }
    Packing p = reserve(Md.copyOf(md.handle()));
    Packing first = packings.get(0);
    WeightPacker.repack(shape(), dtype, first.layout, first.memory, p.layout, p.memory);
    packings.add(p);
    return p;
  }

  /**
   * Transformed filters, kept from the second call on while the budget lasts: what is used once,
   * such as a decoder's weights, is not worth the memory.
   *
   * @param budget bytes that may still be kept; what is kept is given back when this is closed
   * @param fill writes them
   * @return null where they are not kept
   */
  synchronized @Nullable Slab transformed(
      BlockedLayout layout, AtomicLong budget, Consumer<Slab> fill) {
    checkOpen();
    Transformed t = transformed;
    if (t != null) {
      return t.layout.equals(layout) ? t.memory : null;
    }
    if (!transformedBefore) {
      transformedBefore = true;
      return null;
    }
    long bytes = layout.elements() * Float.BYTES;
    if (budget.addAndGet(-bytes) < 0) {
      budget.addAndGet(bytes);
      return null;
    }
    Slab memory = null;
    try {
      memory = own(bytes);
      fill.accept(memory);
      transformed = new Transformed(layout, memory, budget);
      return memory;
    } finally {
      if (transformed == null) { // no memory for it, or for what filling needs
        budget.addAndGet(bytes);
        if (memory != null) {
          disown(memory);
        }
      }
    }
  }

  /** Reads some output channels' filters of 3 x 3 input channel by input channel, as floats. */
  Reader reader(int firstOut, int outs) {
    return new Reader(packing(), firstOut, outs);
  }

  /** Filters' taps of one input channel. */
  final class Reader {
    private final Packing packing;
    private final int[] outAt;
    private final int[] inAt;
    private final int[] downAt;
    private final int[] acrossAt;
    private final int outs;
    private final int run;

    private Reader(Packing packing, int firstOut, int outs) {
      this.packing = packing;
      this.outs = outs;
      outAt = Arrays.copyOfRange(packing.layout.offsets(0), firstOut, firstOut + outs);
      inAt = packing.layout.offsets(1);
      downAt = packing.layout.offsets(2);
      acrossAt = packing.layout.offsets(3);
      run = WinogradConv.run(outAt, outs);
    }

    /** Fills {@code [kw][kh][out]} with the taps of an input channel. */
    void read(int channel, float[][][] target) {
      short[] words = new short[run];
      for (int y = 0; y < downAt.length; y++) {
        for (int x = 0; x < acrossAt.length; x++) {
          float[] tap = target[x][y];
          int at = inAt[channel] + downAt[y] + acrossAt[x];
          for (int o = 0; o < outs; o += run) {
            int n = Math.min(run, outs - o);
            if (dtype == DType.F32) {
              packing.memory.floats(0).get(at + outAt[o], tap, o, n);
            } else {
              packing.memory.shorts(0).get(at + outAt[o], words, 0, n);
              widen(words, tap, o, n);
            }
          }
        }
      }
    }

    private void widen(short[] words, float[] target, int to, int n) {
      for (int i = 0; i < n; i++) {
        target[to + i] =
            dtype == DType.F16 ? HalfFloats.f16ToFloat(words[i]) : HalfFloats.bf16ToFloat(words[i]);
      }
    }
  }

  long biasAddress() {
    checkOpen();
    return bias.address();
  }

  /** Copies part of the bias. */
  void readBias(int from, float[] target, int n) {
    checkOpen();
    bias.floats(0).get(from, target, 0, n);
  }

  @Override
  void onClose() {
    packings.forEach(p -> p.md.close());
    Transformed t = transformed;
    if (t != null) {
      t.budget.addAndGet(t.memory.size());
    }
  }
}
