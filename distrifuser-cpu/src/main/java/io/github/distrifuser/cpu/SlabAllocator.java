package io.github.distrifuser.cpu;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Deals out blocks of slabs: best fit, split on taking, merged with free neighbours on giving back.
 * Slabs are kept until {@link #trim} or {@link #close}, so that a loop of fixed shapes takes
 * nothing from the system once it has run. The same calls always give the same places.
 */
final class SlabAllocator {
  private static final long ALIGNMENT = 64;

  /** Requests up to this size come from slabs of their own, lest they break up the large ones. */
  private static final long SMALL = 1L << 20;

  private static final long SMALL_SLAB = 8L << 20;
  private static final long LARGE_SLAB = 32L << 20;

  /** A piece of a slab. */
  static final class Block {
    private final Slab slab;
    private final int slabNumber;
    private final boolean small;
    private final long offset;
    private long size;
    private boolean free;
    private @Nullable Block previous;
    private @Nullable Block next;

    private Block(Slab slab, int slabNumber, boolean small, long offset, long size) {
      this.slab = slab;
      this.slabNumber = slabNumber;
      this.small = small;
      this.offset = offset;
      this.size = size;
    }

    Slab slab() {
      return slab;
    }

    /** First byte's distance from the slab's start. */
    long offset() {
      return offset;
    }

    long address() {
      return slab.address() + offset;
    }

    long size() {
      return size;
    }

    private Key key() {
      return new Key(size, slabNumber, offset);
    }
  }

  /** Order of free blocks: smallest first, then oldest slab, then lowest place. */
  private record Key(long size, int slabNumber, long offset) implements Comparable<Key> {
    private static final Comparator<Key> ORDER =
        Comparator.comparingLong(Key::size)
            .thenComparingInt(Key::slabNumber)
            .thenComparingLong(Key::offset);

    @Override
    public int compareTo(Key o) {
      return ORDER.compare(this, o);
    }
  }

  private final TreeMap<Key, Block> freeSmall = new TreeMap<>();
  private final TreeMap<Key, Block> freeLarge = new TreeMap<>();
  private final List<Slab> slabs = new ArrayList<>();
  private int slabsMade;
  private long reserved;
  private boolean closed;

  /** A block of at least this size. */
  synchronized Block take(long bytes) {
    if (closed) {
      throw new IllegalStateException("backend is closed");
    }
    long size = Math.max(ALIGNMENT, Math.addExact(bytes, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    boolean small = size <= SMALL;
    Map.Entry<Key, Block> fit = freeOf(small).ceilingEntry(new Key(size, -1, 0));
    Block b;
    if (fit == null) {
      b = addSlab(small, size);
    } else {
      b = fit.getValue();
      freeOf(small).remove(fit.getKey());
    }
    b.free = false;
    if (b.size > size) {
      Block rest = new Block(b.slab, b.slabNumber, small, b.offset + size, b.size - size);
      link(rest, b.next);
      link(b, rest);
      b.size = size;
      addFree(rest);
    }
    return b;
  }

  private Block addSlab(boolean small, long size) {
    long bytes = Math.max(size, small ? SMALL_SLAB : LARGE_SLAB);
    Slab slab = new Slab(bytes);
    slabs.add(slab);
    reserved += bytes;
    return new Block(slab, slabsMade++, small, 0, bytes);
  }

  /** Makes a block free again; a second time has no effect. */
  synchronized void give(Block b) {
    if (closed || b.free) {
      return;
    }
    Block merged = b;
    Block before = b.previous;
    if (before != null && before.free) {
      freeOf(b.small).remove(before.key());
      b.free = true;
      before.size += b.size;
      link(before, b.next);
      merged = before;
    }
    Block after = merged.next;
    if (after != null && after.free) {
      freeOf(b.small).remove(after.key());
      merged.size += after.size;
      link(merged, after.next);
    }
    addFree(merged);
  }

  /** Bytes taken from the system. */
  synchronized long reserved() {
    return reserved;
  }

  /** Returns slabs that are wholly free to the system. */
  synchronized void trim() {
    if (closed) {
      return;
    }
    for (TreeMap<Key, Block> free : List.of(freeSmall, freeLarge)) {
      free.values()
          .removeIf(
              b -> {
                boolean whole = b.previous == null && b.next == null;
                if (whole) {
                  slabs.remove(b.slab);
                  reserved -= b.slab.size();
                  b.slab.free();
                }
                return whole;
              });
    }
    Pointer.trimMemory();
  }

  /** Returns everything, blocks in use included. */
  synchronized void close() {
    closed = true;
    slabs.forEach(Slab::free);
    slabs.clear();
    freeSmall.clear();
    freeLarge.clear();
    reserved = 0;
  }

  private TreeMap<Key, Block> freeOf(boolean small) {
    return small ? freeSmall : freeLarge;
  }

  private void addFree(Block b) {
    b.free = true;
    freeOf(b.small).put(b.key(), b);
  }

  private static void link(Block a, @Nullable Block b) {
    a.next = b;
    if (b != null) {
      b.previous = a;
    }
  }
}
