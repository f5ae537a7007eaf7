package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.cuda.CudaException;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Ranks with a GPU each, by NCCL. What is posted goes to the rank's stream of communication, and
 * awaiting lets the operators' stream wait: steps that post the same again need nothing of the host
 * and can be captured.
 *
 * <p>Both ends of a message have the same shape. The exchanges of two ranks correspond in the order
 * of their calls, and messages within one by their tags. Where a rank sends one tensor to all
 * others under a tag and receives as much from each under the same, so do all, and NCCL's
 * all-gather serves.
 */
final class NcclCommunicator extends DeviceCommunicator {
  /** Sums are taken by each rank for itself where it receives no more than so many bytes. */
  private static final long SMALL_SUM = 1 << 20;

  /** Shares of a sum are multiples of so many elements. */
  private static final long GRAIN = 64;

  private final RankStream stream;
  private final @Nullable NcclGroup group; // null for one rank
  private final boolean ownsStream;
  private final List<NcclCommunicator> parts = new ArrayList<>();
  private boolean closed;

  private NcclCommunicator(RankStream stream, Communicator host, boolean ownsStream) {
    super(host);
    this.stream = stream;
    this.ownsStream = ownsStream;
    this.group = host.size() == 1 ? null : new NcclGroup(stream, host);
  }

  /** All ranks of a world. */
  static NcclCommunicator connect(CudaContext context, Communicator host) {
    RankStream stream = new RankStream(context, host);
    try {
      return new NcclCommunicator(stream, host, true);
    } catch (RuntimeException e) {
      stream.fail(new CommException(host.worldRank(), String.valueOf(e.getMessage()), e));
      stream.close();
      throw e;
    }
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    NcclCommunicator part = new NcclCommunicator(stream, host().group(ranks), false);
    parts.add(part);
    return part;
  }

  // --- operations ---

  @Override
  public boolean isCapturable() {
    return stream.isCapturable();
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    List<Transfer> ordered = new ArrayList<>(transfers);
    ordered.sort(Comparator.comparingInt(Transfer::tag));
    List<Runs> runs = new ArrayList<>();
    for (Transfer t : ordered) {
      checkPeer(t);
      Runs r = Runs.of(t.tensor());
      runs.add(r);
      if (t.send()) {
        stream.sent(r.total(), 1);
      }
    }
    List<Gather> gathers = new ArrayList<>();
    BitSet gathered = new BitSet();
    for (int from = 0, to; from < ordered.size(); from = to) {
      to = from + 1;
      while (to < ordered.size() && ordered.get(to).tag() == ordered.get(from).tag()) {
        to++;
      }
      List<Runs> slots = slots(ordered.subList(from, to), runs.subList(from, to));
      if (!slots.isEmpty()) {
        gathers.add(new Gather(slots, rank()));
        gathered.set(from, to);
      }
    }
    stream.begin();
    NcclGroup g = group;
    if (g != null && !ordered.isEmpty()) {
      Gather.run(
          gathers,
          stream,
          g,
          () -> {
            for (int i = 0; i < ordered.size(); i++) {
              if (!gathered.get(i)) {
                move(g, ordered.get(i).send(), runs.get(i), ordered.get(i).peer());
              }
            }
          });
    }
    return stream.end();
  }

  /** The slots that messages of one tag gather, in rank order; empty where they gather nothing. */
  private List<Runs> slots(List<Transfer> transfers, List<Runs> runs) {
    Runs[] slots = new Runs[size()];
    if (transfers.size() != 2 * (size() - 1)) {
      return List.of();
    }
    Set<Integer> receivers = new HashSet<>();
    for (int i = 0; i < transfers.size(); i++) {
      Transfer t = transfers.get(i);
      int slot = t.send() ? rank() : t.peer();
      Runs before = slots[slot];
      boolean fits =
          runs.get(i).isLike(runs.get(0))
              && (before == null || t.send() && before.equals(runs.get(i)));
      if (!fits || t.send() && !receivers.add(t.peer())) {
        return List.of();
      }
      slots[slot] = runs.get(i);
    }
    return receivers.size() == size() - 1 && runs.get(0).total() > 0 ? List.of(slots) : List.of();
  }

  private static void move(NcclGroup g, boolean send, Runs runs, int peer) {
    for (int i = 0; i < runs.count() && runs.bytes() > 0; i++) {
      if (send) {
        g.send(runs.at(i), runs.bytes(), peer);
      } else {
        g.receive(runs.at(i), runs.bytes(), peer);
      }
    }
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    checkSlots(slots);
    List<Runs> runs = slots.stream().map(Runs::of).toList();
    Runs own = runs.get(rank());
    stream.sent(own.total() * (size() - 1), size() - 1);
    stream.begin();
    NcclGroup g = group;
    if (g != null) {
      if (!runs.stream().allMatch(own::isLike)) {
        g.together(
            () -> {
              for (int peer = 0; peer < size(); peer++) {
                if (peer != rank()) {
                  move(g, true, own, peer);
                  move(g, false, runs.get(peer), peer);
                }
              }
            });
      } else if (own.total() > 0) {
        Gather.run(List.of(new Gather(runs, rank())), stream, g, () -> {});
      }
    }
    return stream.end();
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    checkSum(tensor);
    long bytes = tensor.byteSize();
    stream.begin();
    NcclGroup g = group;
    if (g != null && bytes > 0) {
      if (bytes * (size() - 1) <= SMALL_SUM) {
        sumWhole(g, tensor, bytes);
      } else {
        sumShares(g, tensor);
      }
    }
    return stream.end();
  }

  /** Every rank receives all of the others' and sums for itself. */
  private void sumWhole(NcclGroup g, Tensor tensor, long bytes) {
    long scratch = stream.scratch(bytes * size(), "a sum");
    stream.stream().copy(tensor.address(), scratch + rank() * bytes, bytes);
    g.together(() -> g.allGather(scratch, bytes, rank()));
    long n = tensor.shape().elements();
    RankSum.add(
        stream.context(), stream.stream(), tensor.dtype(), scratch, n, size(), tensor.address());
    stream.sent(bytes * (size() - 1), size() - 1);
  }

  /** Every rank sums a share, and then all receive it. */
  private void sumShares(NcclGroup g, Tensor tensor) {
    DType dtype = tensor.dtype();
    long n = tensor.shape().elements();
    long share = ((n + size() - 1) / size() + GRAIN - 1) / GRAIN * GRAIN;
    long slot = share * dtype.bytes();
    long scratch = stream.scratch(slot * size(), "a sum");
    long mine = shareOf(rank(), share, n);
    long address = tensor.address();
    long own = address + rank() * slot;
    if (mine > 0) {
      stream.stream().copy(own, scratch + rank() * slot, mine * dtype.bytes());
    }
    exchangeShares(
        g, p -> address + p * slot, p -> scratch + p * slot, true, share, n, dtype.bytes());
    RankSum.add(stream.context(), stream.stream(), dtype, scratch, mine, share, size(), own);
    exchangeShares(g, p -> own, p -> address + p * slot, false, share, n, dtype.bytes());
  }

  /** Address of what goes to a peer, or comes from it. */
  private interface Where {
    long of(int peer);
  }

  /**
   * Sends a share to each peer and receives one from each.
   *
   * @param theirs whether the peer's own share is sent and this rank's received, or the other way
   */
  private void exchangeShares(
      NcclGroup g, Where from, Where into, boolean theirs, long share, long n, int width) {
    g.together(
        () -> {
          long mine = shareOf(rank(), share, n) * width;
          for (int p = 0; p < size(); p++) {
            long others = shareOf(p, share, n) * width;
            long sent = theirs ? others : mine;
            long received = theirs ? mine : others;
            if (p != rank() && sent > 0) {
              g.send(from.of(p), sent, p);
              stream.sent(sent, 1);
            }
            if (p != rank() && received > 0) {
              g.receive(into.of(p), received, p);
            }
          }
        });
  }

  /** Elements of a rank's share. */
  private static long shareOf(int rank, long share, long n) {
    return Math.max(0, Math.min(share, n - rank * share));
  }

  // --- life ---

  @Override
  public void setTimeout(Duration timeout) {
    super.setTimeout(timeout);
    stream.setTimeout(timeout);
  }

  @Override
  public void progress(String what) {
    stream.progress(what);
    super.progress(what);
  }

  @Override
  public void check() {
    stream.throwIfFailed();
    super.check();
  }

  @Override
  public void abort(String reason) {
    int rank = worldRank();
    stream.fail(new CommException(rank, "rank " + rank + " failed: " + reason));
    super.abort(reason);
  }

  @Override
  public CommStats stats() {
    CommStats s = host().stats();
    return new CommStats(
        s.bytesSent() + stream.bytesSent(),
        s.messagesSent() + stream.messagesSent(),
        s.waitNanos() + stream.waitNanos());
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    stream.context().activate();
    try {
      if (ownsStream && !stream.isFailed()) {
        stream.drain();
      }
      for (NcclCommunicator p : parts) {
        p.close();
      }
      if (group != null) {
        group.close();
      }
    } catch (CommException e) {
      stream.fail(e); // ends what is left
    } catch (CudaException e) {
      int rank = worldRank();
      stream.fail(new CommException(rank, "rank " + rank + " failed: " + e.getMessage(), e));
    } finally {
      if (ownsStream) {
        stream.close();
      } else {
        host().close();
      }
    }
  }
}
