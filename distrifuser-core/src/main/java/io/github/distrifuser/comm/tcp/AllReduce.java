package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * One sum over the ranks of a group, or a round of a long one, on the event loop. Small ones, and
 * those of two ranks, are sent whole to all, and everybody sums. For others rank i sums the i-th
 * share of the numbers and sends it on, which takes 2 (N - 1) / N of their bytes. The sums are the
 * same either way.
 */
final class AllReduce {
  /** How many bytes of numbers a round takes. */
  static final int ROUND = Staging.Pool.PIECE;

  private static final long LARGEST_WHOLE = 64 << 10;
  private static final int NUMBERS = 0; // the operation's parts
  private static final int SUMS = 1;

  private final Group group;
  private final long sequence;
  private final HostBytes numbers;
  private final DType dtype;
  private final TcpWork work;
  private final boolean whole;
  private final List<Staging> staging = new ArrayList<>(); // of the other ranks, in rank order
  private int missing = 1; // before my share can be summed

  /**
   * One round.
   *
   * @param numbers at most {@link #ROUND} bytes
   * @param whole whether all ranks sum all numbers
   */
  AllReduce(
      Group group, long sequence, HostBytes numbers, DType dtype, TcpWork work, boolean whole) {
    this.group = group;
    this.sequence = sequence;
    this.numbers = numbers;
    this.dtype = dtype;
    this.work = work;
    this.whole = whole;
  }

  /** Whether all ranks sum all numbers, of so many bytes in all rounds together. */
  static boolean whole(int ranks, long bytes) {
    return ranks <= 2 || bytes <= LARGEST_WHOLE;
  }

  /** What a rank sums. */
  private HostBytes share(int rank) {
    if (whole) {
      return numbers;
    }
    long elements = numbers.size() / dtype.bytes();
    long from = elements * rank / group.size() * dtype.bytes();
    long to = elements * (rank + 1) / group.size() * dtype.bytes();
    return numbers.range(from, to);
  }

  /** Posts it. */
  void start() {
    work.addParts(1); // the sum
    work.atEnd(() -> staging.forEach(Staging::release));
    long mine = share(group.rank()).size();
    for (int r : group.others()) {
      Staging theirs = new Staging(group.world().staging(), mine);
      staging.add(theirs);
      missing++;
      group.receive(r, message(NUMBERS), theirs, work, this::arrived);
      if (whole) {
        missing++; // the sum overwrites what is sent
        group.send(r, message(NUMBERS), numbers, work, this::arrived);
      } else {
        work.addParts(2);
        group.send(r, message(NUMBERS), share(r), work, work::partDone);
        // Comes once rank r has what is sent here from the same memory.
        group.receive(r, message(SUMS), share(r), work, work::partDone);
      }
    }
    arrived();
  }

  private Group.Message message(int part) {
    return new Group.Message(
        MessageKey.collective(group.id(), sequence, part), Operation.ALL_REDUCE);
  }

  private void arrived() {
    missing--;
    if (missing > 0) {
      return;
    }
    HostBytes mine = share(group.rank());
    List<HostBytes> ranks = new ArrayList<>();
    staging.forEach(s -> ranks.add(s.bytes()));
    ranks.add(group.rank(), mine);
    new RankSums(dtype).sum(ranks, mine);
    staging.forEach(Staging::release);
    if (!whole) {
      for (int r : group.others()) {
        work.addParts(1);
        group.send(r, message(SUMS), mine, work, work::partDone);
      }
      group.pump();
    }
    work.partDone();
  }
}
