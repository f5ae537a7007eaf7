package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;

/** What all communicators of devices leave to the hosts' communicator of the same group. */
abstract class DeviceCommunicator implements Communicator {
  private final Communicator host;

  DeviceCommunicator(Communicator host) {
    this.host = host;
  }

  final Communicator host() {
    return host;
  }

  @Override
  public final int rank() {
    return host.rank();
  }

  @Override
  public final int size() {
    return host.size();
  }

  @Override
  public final int worldRank() {
    return host.worldRank();
  }

  @Override
  public void broadcast(byte[] bytes, int root) {
    host.broadcast(bytes, root);
  }

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    return host.allGatherBytes(mine);
  }

  @Override
  public void barrier() {
    host.barrier();
  }

  @Override
  public void setTimeout(Duration timeout) {
    host.setTimeout(timeout);
  }

  @Override
  public void check() {
    host.check();
  }

  @Override
  public void abort(String reason) {
    host.abort(reason);
  }

  @Override
  public void accuse(int ofWorldRank, String message) {
    host.accuse(ofWorldRank, message);
  }

  @Override
  public void progress(String what) {
    host.progress(what);
  }

  @Override
  public String heard(int ofWorldRank) {
    return host.heard(ofWorldRank);
  }

  final void checkPeer(Transfer t) {
    if (t.peer() < 0 || t.peer() >= size() || t.peer() == rank()) {
      throw new IllegalArgumentException(
          "rank " + rank() + " of " + size() + " has no peer " + t.peer());
    }
  }

  final void checkSlots(List<Tensor> slots) {
    if (slots.size() != size()) {
      throw new IllegalArgumentException(slots.size() + " slots for " + size() + " ranks");
    }
  }

  static void checkSum(Tensor tensor) {
    DType d = tensor.dtype();
    if (d != DType.F32 && d != DType.F16 && d != DType.BF16) {
      throw new IllegalArgumentException("no sum of " + tensor);
    }
    if (!tensor.isDense()) {
      throw new IllegalArgumentException("no sum of " + tensor + ": it has gaps");
    }
  }
}
