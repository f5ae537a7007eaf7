package io.github.distrifuser.comm.local;

import io.github.distrifuser.comm.Communicator;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A world of ranks that are threads of this JVM. Tensors must lie in host memory.
 *
 * <p>A message is copied once, straight from the sender's tensor into the receiver's, by whichever
 * of the two posts second, before its posting returns: nobody may touch the tensors by then, and no
 * further thread competes with the ranks for the cores and for the memory's bandwidth, which is
 * what a copy is made of. Posting never waits for a peer. A sum is taken by the rank that comes
 * last, helped by those that wait for it.
 *
 * <p>Tensors of an operation belong to the communicator until {@code await} returns or throws. A
 * rank that fails in between calls {@code abort} or {@code close} first: once these return, nobody
 * reads or writes its tensors any more.
 */
public final class LocalCommunicators implements AutoCloseable {
  private final List<Communicator> ranks;

  private LocalCommunicators(List<Communicator> ranks) {
    this.ranks = ranks;
  }

  /**
   * A new world.
   *
   * @param n number of ranks, at least 1
   */
  public static LocalCommunicators create(int n) {
    if (n < 1) {
      throw new IllegalArgumentException("a world of " + n + " ranks");
    }
    LocalWorld world = new LocalWorld(n);
    LocalGroup all = new LocalGroup(IntStream.range(0, n).boxed().toList());
    List<Communicator> ranks = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      ranks.add(new LocalCommunicator(world, all, i, Communicator.DEFAULT_TIMEOUT));
    }
    return new LocalCommunicators(List.copyOf(ranks));
  }

  /** Each rank's communicator, in rank order, for the thread that is to be the rank. */
  public List<Communicator> ranks() {
    return ranks;
  }

  /** Closes all ranks' communicators. Idempotent. */
  @Override
  public void close() {
    ranks.forEach(Communicator::close);
  }
}
