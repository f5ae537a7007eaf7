package io.github.distrifuser.cuda;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Blocks whose addresses captured steps contain. Nobody else gets them while one of those steps may
 * run again. Steps of one backend run one after another, so that they share blocks: what one has
 * freed by its end serves the next that is captured. Guarded by {@link DeviceMemory}.
 */
final class GraphMemory {
  private final Map<Long, Block> blocks = new HashMap<>(); // by address
  private final Map<Long, ArrayDeque<Block>> idle = new HashMap<>(); // by size
  private @Nullable Set<Block> current; // of the capture under way
  private long bytes;

  private static final class Block {
    final long address;
    final long size;
    int users; // captured steps
    boolean held; // by a tensor

    Block(long address, long size, boolean held) {
      this.address = address;
      this.size = size;
      this.held = held;
    }
  }

  /** The blocks of one captured step. */
  static final class Use {
    private final Set<Block> blocks;

    private Use(Set<Block> blocks) {
      this.blocks = blocks;
    }

    long bytes() {
      return blocks.stream().mapToLong(b -> b.size).sum();
    }
  }

  boolean isCapturing() {
    return current != null;
  }

  /** Of all blocks. */
  long bytes() {
    return bytes;
  }

  void begin() {
    if (current != null) {
      throw new IllegalStateException("a step is captured within another");
    }
    current = new HashSet<>();
  }

  private Set<Block> current() {
    Set<Block> c = current;
    if (c == null) {
      throw new IllegalStateException("no step is being captured");
    }
    return c;
  }

  /** A block that no tensor holds, or null. */
  @Nullable Long take(long size) {
    ArrayDeque<Block> fitting = idle.get(size);
    Block b = fitting == null ? null : fitting.poll();
    if (b == null) {
      return null;
    }
    b.held = true;
    current().add(b);
    return b.address;
  }

  /** Takes over a block for the capture under way. */
  void adopt(long address, long size, boolean held) {
    Block b = new Block(address, size, held);
    current().add(b);
    blocks.put(address, b);
    bytes += size;
    if (!held) {
      rest(b);
    }
  }

  private void rest(Block b) {
    idle.computeIfAbsent(b.size, n -> new ArrayDeque<>()).push(b);
  }

  /**
   * Takes back a block from a tensor.
   *
   * @param others gets address and size of a block that no captured step uses
   * @return false where it is none of these blocks
   */
  boolean release(long address, BiConsumer<Long, Long> others) {
    Block b = blocks.get(address);
    if (b == null) {
      return false;
    }
    b.held = false;
    if (b.users == 0 && !isCapturing()) {
      leave(b, others);
    } else {
      rest(b);
    }
    return true;
  }

  private void leave(Block b, BiConsumer<Long, Long> others) {
    blocks.remove(b.address);
    bytes -= b.size;
    others.accept(b.address, b.size);
  }

  /** Ends a capture that succeeded. */
  Use end() {
    Use use = new Use(current());
    use.blocks.forEach(b -> b.users++);
    current = null;
    return use;
  }

  /** Ends a capture that failed. */
  void abandon(BiConsumer<Long, Long> others) {
    Use use = end();
    free(use, others);
  }

  /** Of a step that won't run again. */
  void free(Use use, BiConsumer<Long, Long> others) {
    for (Block b : use.blocks) {
      if (--b.users == 0 && !b.held) {
        ArrayDeque<Block> resting = idle.get(b.size);
        if (resting != null) {
          resting.remove(b);
        }
        leave(b, others);
      }
    }
    use.blocks.clear();
  }

  /** Gives up all. */
  void clear(BiConsumer<Long, Long> others) {
    blocks.values().forEach(b -> others.accept(b.address, b.size));
    blocks.clear();
    idle.clear();
    bytes = 0;
  }
}
