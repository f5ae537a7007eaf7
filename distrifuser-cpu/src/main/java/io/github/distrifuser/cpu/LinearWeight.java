package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer's weight {@code [out, in]}, with its bias in floats. As torch has it, row-major:
 * then one part in a mapped file is used where it lies, and several are copied into one matrix. Or
 * packed into blocks. Row slices share the memory.
 */
final class LinearWeight extends NativeWeight {
  private final LinearWeight whole;
  private final DType dtype;
  private final long address; // [out, in], or what layout says
  private final long biasAddress; // [out], or 0
  private final long firstRow;
  private final TreeSet<Long> cuts;
  private final @Nullable LinearLayout layout; // null where rows lie as torch has them
  private final @Nullable ByteBuffer mapping; // keeps a mapped file's memory alive
  private final long mappedBytes;

  /** A slice. */
  private LinearWeight(LinearWeight whole, long from, long to) {
    super(whole.name(), Shape.of(to - from, whole.in()));
    this.whole = whole;
    this.dtype = whole.dtype;
    this.layout = whole.layout;
    long place = layout == null ? from * whole.in() : layout.place(from);
    this.address = whole.address + place * whole.dtype.bytes();
    this.biasAddress = whole.biasAddress == 0 ? 0 : whole.biasAddress + from * Float.BYTES;
    this.firstRow = from;
    this.cuts = whole.cuts;
    this.mapping = whole.mapping;
    this.mappedBytes = 0;
  }

  /**
   * @param dtype type to keep the weight in
   * @param packed whether to pack it, where that is faster and slices allow it
   */
  LinearWeight(
      String name,
      List<WeightTensor> parts,
      @Nullable List<WeightTensor> biases,
      DType dtype,
      boolean packed,
      Workers workers,
      long... splits) {
    super(name, Shape.of(rows(name, parts), columns(parts.get(0))));
    this.whole = this;
    this.dtype = dtype;
    this.firstRow = 0;
    this.cuts = new TreeSet<>();
    long row = 0;
    for (WeightTensor p : parts) {
      cuts.add(row);
      row += p.shape().dim(0);
    }
    cuts.add(row);
    for (long s : splits) {
      if (s <= 0 || s >= row) {
        throw new IllegalArgumentException(name + ": split " + s + " of " + row + " rows");
      }
      cuts.add(s);
    }
    if (biases != null) {
      checkBiases(name, parts, biases);
    }
    WeightTensor only = parts.get(0);
    ByteBuffer data = only.data();
    layout = packed ? LinearLayout.choose(dtype, in(), cuts) : null;
    if (layout != null) {
      mapping = null;
      mappedBytes = 0;
      Slab slab = own(layout.whole().elements() * dtype.bytes());
      address = slab.address();
      long first = 0;
      for (WeightTensor p : parts) {
        WeightPacker.packRows(p, dtype, layout.whole(), layout.place(first), slab, workers);
        first += p.shape().dim(0);
      }
    } else if (parts.size() == 1
        && only.dtype() == dtype
        && data.isDirect()
        && Address.of(data) % dtype.bytes() == 0) {
      mapping = data;
      mappedBytes = data.remaining();
      address = Address.of(data);
    } else {
      mapping = null;
      mappedBytes = 0;
      Slab slab = own(shape().elements() * dtype.bytes());
      address = slab.address();
      long at = 0;
      for (WeightTensor p : parts) {
        put(slab, at, dtype, p);
        at += p.shape().elements() * dtype.bytes();
      }
    }
    if (biases == null) {
      biasAddress = 0;
    } else {
      Slab slab = own(row * Float.BYTES);
      biasAddress = slab.address();
      long at = 0;
      for (WeightTensor bias : biases) {
        putFloats(slab, at, bias);
        at += bias.shape().elements();
      }
    }
  }

  private static void checkBiases(
      String name, List<WeightTensor> parts, List<WeightTensor> biases) {
    if (biases.size() != parts.size()) {
      throw new IllegalArgumentException(
          name + ": " + parts.size() + " weights, " + biases.size() + " biases");
    }
    for (int i = 0; i < biases.size(); i++) {
      checkShape(biases.get(i), Shape.of(parts.get(i).shape().dim(0)));
    }
  }

  private static long rows(String name, List<WeightTensor> parts) {
    if (parts.isEmpty()) {
      throw new IllegalArgumentException(name + ": no weights");
    }
    long in = columns(parts.get(0));
    long out = 0;
    for (WeightTensor p : parts) {
      Shape s = p.shape();
      long n = s.rank() == 0 ? 0 : s.dim(0);
      boolean matrix = s.rank() == 2 || s.rank() == 4 && s.dim(2) == 1 && s.dim(3) == 1;
      if (!matrix || s.dim(1) != in) {
        throw new IllegalArgumentException(
            p.source() + ": " + p.name() + ": expected " + Shape.of(n, in) + ", found " + s);
      }
      out += n;
    }
    return out;
  }

  private static long columns(WeightTensor part) {
    return part.shape().rank() < 2 ? 0 : part.shape().dim(1);
  }

  long out() {
    return shape().dim(0);
  }

  long in() {
    return shape().dim(1);
  }

  DType dtype() {
    return dtype;
  }

  /** How the rows lie in memory; null where they follow each other without gaps. */
  @Nullable WeightLayout layout() {
    whole.checkOpen();
    return layout == null ? null : layout.slice(out());
  }

  /** Where the rows' memory begins. */
  long address() {
    whole.checkOpen();
    return address;
  }

  boolean hasBias() {
    return biasAddress != 0;
  }

  long biasAddress() {
    whole.checkOpen();
    return biasAddress;
  }

  @Override
  public long bytes() {
    return super.bytes() + mappedBytes;
  }

  @Override
  public PreparedWeight rows(long from, long to) {
    if (from < 0
        || to <= from
        || to > out()
        || !cuts.contains(firstRow + from)
        || !cuts.contains(firstRow + to)) {
      throw new IllegalArgumentException(
          name() + ": rows [" + from + ", " + to + ") of a weight that may be cut at " + cuts);
    }
    return new LinearWeight(whole, firstRow + from, firstRow + to);
  }

  @Override
  void onClose() {
    if (layout != null && whole == this) {
      layout.close();
    }
  }
}
