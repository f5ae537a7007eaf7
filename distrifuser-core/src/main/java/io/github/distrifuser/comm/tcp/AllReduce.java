package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.tensor.DType;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * One sum over the ranks of a group, on the event loop. Small ones, and those of two ranks, are
 * sent whole to all, and everybody sums. For others rank i sums the i-th share of the numbers and
 * sends it on, which takes 2 (N - 1) / N of their bytes. The sums are the same either way.
 */
final class AllReduce {
  private static final long LARGEST_WHOLE = 64 << 10;
  private static final int NUMBERS = 0; // the operation's parts
  private static final int SUMS = 1;

  private final Group group;
  private final long sequence;
  private final HostBytes numbers;
  private final DType dtype;
  private final TcpWork work;
  private final boolean whole;
  private final List<HostBytes> ranks = new ArrayList<>(); // each rank's numbers of my share
  private int missing = 1; // before my share can be summed

  AllReduce(Group group, long sequence, HostBytes numbers, DType dtype, TcpWork work) {
    this.group = group;
    this.sequence = sequence;
    this.numbers = numbers;
    this.dtype = dtype;
    this.work = work;
    this.whole = group.size() == 2 || numbers.size() <= LARGEST_WHOLE;
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
    HostBytes mine = share(group.rank());
    for (int r = 0; r < group.size(); r++) {
      ranks.add(r == group.rank() ? mine : staging((int) mine.size()));
    }
    for (int r : group.others()) {
      missing++;
      group.receive(r, message(NUMBERS), ranks.get(r), work, this::arrived);
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

  private HostBytes staging(int size) {
    ByteBuf buffer = ByteBufAllocator.DEFAULT.directBuffer(size, size);
    work.atEnd(buffer::release);
    return HostBytes.of(buffer.nioBuffer(0, size).order(ByteOrder.nativeOrder()));
  }

  private void arrived() {
    missing--;
    if (missing > 0) {
      return;
    }
    HostBytes mine = ranks.get(group.rank());
    new RankSums(dtype).sum(ranks, mine);
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
