package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.cuda.CudaStream;
import java.util.List;

/**
 * An all-gather of equal slots: in place where they lie one after another, else by way of memory
 * where they do. Which of the two is each rank's own affair.
 */
final class Gather {
  private final List<Runs> slots;
  private final Runs own;
  private final int rank;
  private final long row; // bytes of all ranks' runs
  private final boolean inPlace;
  private long memory; // where the slots lie one after another

  /**
   * A gathering.
   *
   * @param slots of all ranks, of equal size above 0
   */
  Gather(List<Runs> slots, int rank) {
    this.slots = slots;
    this.own = slots.get(rank);
    this.rank = rank;
    this.row = own.bytes() * slots.size();
    Runs first = slots.get(0);
    boolean together = true;
    for (int r = 0; r < slots.size(); r++) {
      together &= slots.get(r).address() == first.address() + r * own.bytes();
      together &= own.count() == 1 || slots.get(r).distance() == first.distance();
    }
    this.inPlace = together;
  }

  /** Gives gatherings and other calls to the stream as one piece of work. */
  static void run(List<Gather> all, RankStream stream, NcclGroup group, NcclGroup.Calls others) {
    long bytes = 0;
    for (Gather g : all) {
      bytes += g.borrowed();
    }
    long memory = bytes == 0 ? 0 : stream.scratch(bytes, "an all-gather");
    for (Gather g : all) {
      g.memory = memory;
      memory += g.borrowed();
      g.bring(stream.stream());
    }
    group.together(
        () -> {
          all.forEach(g -> g.call(group));
          others.make();
        });
    all.forEach(g -> g.take(stream.stream()));
  }

  private long borrowed() {
    return inPlace ? 0 : row * own.count();
  }

  private void bring(CudaStream stream) {
    for (int i = 0; i < own.count() && !inPlace; i++) {
      stream.copy(own.at(i), memory + i * row + rank * own.bytes(), own.bytes());
    }
  }

  private void call(NcclGroup group) {
    for (int i = 0; i < own.count(); i++) {
      group.allGather(inPlace ? slots.get(0).at(i) : memory + i * row, own.bytes(), rank);
    }
  }

  private void take(CudaStream stream) {
    for (int r = 0; r < slots.size() && !inPlace; r++) {
      for (int i = 0; i < own.count() && r != rank; i++) {
        stream.copy(memory + i * row + r * own.bytes(), slots.get(r).at(i), own.bytes());
      }
    }
  }
}
