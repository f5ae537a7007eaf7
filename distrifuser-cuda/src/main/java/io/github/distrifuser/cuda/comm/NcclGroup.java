package io.github.distrifuser.cuda.comm;

import static org.bytedeco.cuda.global.nccl.NCCL_API_MAGIC;
import static org.bytedeco.cuda.global.nccl.NCCL_UNIQUE_ID_BYTES;
import static org.bytedeco.cuda.global.nccl.NCCL_VERSION_CODE;
import static org.bytedeco.cuda.global.nccl.ncclAllGather;
import static org.bytedeco.cuda.global.nccl.ncclCommAbort;
import static org.bytedeco.cuda.global.nccl.ncclCommDestroy;
import static org.bytedeco.cuda.global.nccl.ncclCommFinalize;
import static org.bytedeco.cuda.global.nccl.ncclCommGetAsyncError;
import static org.bytedeco.cuda.global.nccl.ncclCommInitRankConfig;
import static org.bytedeco.cuda.global.nccl.ncclGetErrorString;
import static org.bytedeco.cuda.global.nccl.ncclGetLastError;
import static org.bytedeco.cuda.global.nccl.ncclGetUniqueId;
import static org.bytedeco.cuda.global.nccl.ncclGroupEnd;
import static org.bytedeco.cuda.global.nccl.ncclGroupStart;
import static org.bytedeco.cuda.global.nccl.ncclInProgress;
import static org.bytedeco.cuda.global.nccl.ncclInt8;
import static org.bytedeco.cuda.global.nccl.ncclRecv;
import static org.bytedeco.cuda.global.nccl.ncclSend;
import static org.bytedeco.cuda.global.nccl.ncclSuccess;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.cuda.Address;
import org.bytedeco.cuda.nccl.ncclComm;
import org.bytedeco.cuda.nccl.ncclConfig_t;
import org.bytedeco.cuda.nccl.ncclUniqueId;
import org.bytedeco.javacpp.BytePointer;
import org.jspecify.annotations.Nullable;

/**
 * NCCL's communicator of one group. It never blocks: every call is followed by asking whether it is
 * under way still, so that a rank that is gone is noticed. Messages between two ranks are paired by
 * their order.
 */
final class NcclGroup {
  private static final int UNDEFINED = Integer.MIN_VALUE; // NCCL_CONFIG_UNDEF_INT

  private final RankStream stream;
  private final ncclComm comm = new ncclComm();
  private final Address from = new Address();
  private final Address to = new Address();
  private final int[] status = new int[1];
  private String refusedCall = "";
  private int refusal = ncclSuccess; // of a call between a beginning and an end
  private boolean ended;

  /** Calls between a beginning and an end, which NCCL makes one piece of work. */
  interface Calls {
    void make();
  }

  /**
   * Connects with the group's other ranks, which do the same.
   *
   * @throws io.github.distrifuser.comm.CommException where they don't
   */
  NcclGroup(RankStream stream, Communicator host) {
    this.stream = stream;
    stream.context().activate();
    try (ncclUniqueId id = new ncclUniqueId();
        ncclConfig_t config = config()) {
      byte[] bytes = new byte[NCCL_UNIQUE_ID_BYTES];
      if (host.rank() == 0) {
        check(ncclGetUniqueId(id), "ncclGetUniqueId");
        id.internal().get(bytes);
      }
      host.broadcast(bytes, 0);
      id.internal().put(bytes);
      int begun = ncclCommInitRankConfig(comm, host.size(), id, host.rank(), config);
      if (begun != ncclInProgress) {
        check(begun, "ncclCommInitRankConfig");
      }
    }
    stream.add(this);
    settle("the connection of NCCL");
  }

  /** As NCCL_CONFIG_INITIALIZER of nccl.h, but for not blocking. */
  private static ncclConfig_t config() {
    ncclConfig_t c = new ncclConfig_t();
    c.size(c.sizeof()).magic(NCCL_API_MAGIC).version(NCCL_VERSION_CODE).blocking(0);
    c.cgaClusterSize(UNDEFINED).minCTAs(UNDEFINED).maxCTAs(UNDEFINED);
    c.netName(new BytePointer((BytePointer) null)).splitShare(UNDEFINED).trafficClass(UNDEFINED);
    c.commName(new BytePointer((BytePointer) null)).collnetEnable(UNDEFINED).CTAPolicy(UNDEFINED);
    c.shrinkShare(UNDEFINED).nvlsCTAs(UNDEFINED).nChannelsPerNetPeer(UNDEFINED);
    c.nvlinkCentricSched(UNDEFINED).graphUsageMode(UNDEFINED).numRmaCtx(UNDEFINED);
    return c;
  }

  /** Gives calls to the stream as one piece of work. */
  void together(Calls calls) {
    check(ncclGroupStart(), "ncclGroupStart");
    refusal = ncclSuccess;
    int end;
    try {
      calls.make();
    } finally {
      end = ncclGroupEnd();
    }
    check(refusal, refusedCall); // which aborts, and so comes after the end
    if (end == ncclInProgress) {
      settle("NCCL to take its work");
    } else {
      check(end, "ncclGroupEnd");
    }
  }

  void send(long address, long bytes, int peer) {
    note(
        ncclSend(from.of(address), bytes, ncclInt8, peer, comm, stream.stream().handle()),
        "ncclSend");
  }

  void receive(long address, long bytes, int peer) {
    note(
        ncclRecv(to.of(address), bytes, ncclInt8, peer, comm, stream.stream().handle()),
        "ncclRecv");
  }

  /**
   * Every rank's slot to all.
   *
   * @param slots address of the first of {@code ranks} slots that lie one after another
   * @param bytes of a slot
   */
  void allGather(long slots, long bytes, int rank) {
    note(
        ncclAllGather(
            from.of(slots + rank * bytes),
            to.of(slots),
            bytes,
            ncclInt8,
            comm,
            stream.stream().handle()),
        "ncclAllGather");
  }

  private void note(int result, String call) {
    if (result != ncclSuccess && refusal == ncclSuccess) {
      refusal = result;
      refusedCall = call;
    }
  }

  private void check(int result, String call) {
    if (result != ncclSuccess) {
      throw stream.failHere("NCCL: " + call + " failed: " + text(result));
    }
  }

  private synchronized String text(int result) {
    BytePointer last = ended ? null : ncclGetLastError(comm);
    String more = last == null || last.isNull() ? "" : last.getString().replace('\n', ' ').trim();
    return ncclGetErrorString(result).getString() + (more.isEmpty() ? "" : " (" + more + ")");
  }

  /** Returns when what was called is no longer under way. */
  private void settle(String what) {
    if (isUnderWay()) {
      stream.waitUntil(() -> !isUnderWay(), what);
    }
    String error = error();
    if (error != null) {
      throw stream.failHere("NCCL: " + error);
    }
  }

  private synchronized boolean isUnderWay() {
    return !ended
        && ncclCommGetAsyncError(comm, status) == ncclSuccess
        && status[0] == ncclInProgress;
  }

  /** What has gone wrong since, or null. */
  synchronized @Nullable String error() {
    if (ended) {
      return null;
    }
    int asked = ncclCommGetAsyncError(comm, status);
    int result = asked == ncclSuccess ? status[0] : asked;
    return result == ncclSuccess || result == ncclInProgress ? null : text(result);
  }

  /** Ends what runs on the device, and the communicator. Idempotent. */
  synchronized void abort() {
    if (!ended) {
      ended = true;
      ncclCommAbort(comm);
    }
  }

  /** Leaves in order; all ranks of the group do so together. Idempotent. */
  void close() {
    try {
      leave();
    } finally {
      abort(); // where leaving has failed
      stream.remove(this);
    }
  }

  private void leave() {
    if (isEnded()) {
      return;
    }
    stream.context().activate();
    int begun = ncclCommFinalize(comm);
    if (begun != ncclInProgress) {
      check(begun, "ncclCommFinalize");
    }
    if (isUnderWay()) {
      stream.waitUntil(() -> !isUnderWay(), "NCCL to end");
    }
    synchronized (this) {
      if (!ended) {
        ended = true;
        ncclCommDestroy(comm);
      }
    }
  }

  private synchronized boolean isEnded() {
    return ended;
  }
}
