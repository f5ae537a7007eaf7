package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.comm.local.ParcelExchange;
import io.github.distrifuser.comm.local.ParcelExchange.Message;
import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Ranks that are threads of this JVM, some of them on one GPU, which NCCL refuses: messages are
 * copies on the receiver's stream of communication, behind events of both ranks. The host meets the
 * other ranks where it awaits, until they have posted too, and never waits for the device.
 */
final class SharedDeviceCommunicator extends DeviceCommunicator {
  private final ParcelExchange parcels;
  private final CopyStream stream;
  private final boolean ownsStream;
  private final List<SharedDeviceCommunicator> parts = new ArrayList<>();
  private int sums;
  private boolean closed;

  /** Tags of sums, which no exchange has. */
  private static final int SUM_TAGS = 1 << 30;

  /** All ranks of a world. */
  SharedDeviceCommunicator(CudaContext context, ParcelExchange host) {
    this(new CopyStream(context), host, true);
  }

  private SharedDeviceCommunicator(CopyStream stream, ParcelExchange host, boolean ownsStream) {
    super(host);
    this.parcels = host;
    this.stream = stream;
    this.ownsStream = ownsStream;
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    if (!(parcels.group(ranks) instanceof ParcelExchange group)) {
      throw new IllegalStateException("a group of threads that is none");
    }
    SharedDeviceCommunicator part = new SharedDeviceCommunicator(stream, group, false);
    parts.add(part);
    return part;
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    CopyWork work = new CopyWork(stream);
    List<Message> messages = new ArrayList<>();
    for (Transfer t : transfers) {
      checkPeer(t);
      messages.add(new Message(t.peer(), t.send(), t.tag(), work.parcel(Runs.of(t.tensor()))));
    }
    return work.post(parcels, messages);
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    checkSlots(slots);
    CopyWork work = new CopyWork(stream);
    return work.post(parcels, toAll(work, slots.stream().map(Runs::of).toList()));
  }

  /** Messages by which each rank's slot reaches all others. */
  private List<Message> toAll(CopyWork work, List<Runs> slots) {
    int tag = SUM_TAGS + (sums++ & 0xffffff);
    List<Message> messages = new ArrayList<>();
    for (int peer = 0; peer < size(); peer++) {
      if (peer != rank()) {
        messages.add(new Message(peer, true, tag, work.parcel(slots.get(rank()))));
        messages.add(new Message(peer, false, tag, work.parcel(slots.get(peer))));
      }
    }
    return messages;
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    checkSum(tensor);
    CudaContext context = stream.context();
    long n = tensor.shape().elements();
    if (size() == 1 || n == 0) {
      return new CopyWork(stream).post(parcels, List.of());
    }
    context.activate();
    Tensor all = context.temporary(tensor.dtype(), Shape.of(size(), n), "a sum");
    context
        .compute()
        .copy(tensor.address(), all.slice(0, rank(), rank() + 1).address(), tensor.byteSize());
    List<Runs> slots = new ArrayList<>();
    for (int r = 0; r < size(); r++) {
      slots.add(Runs.of(all.slice(0, r, r + 1)));
    }
    CopyWork work = new CopyWork(stream);
    work.afterwards(
        () ->
            RankSum.add(
                context,
                context.compute(),
                tensor.dtype(),
                all.address(),
                n,
                size(),
                tensor.address()),
        all::close);
    return work.post(parcels, toAll(work, slots));
  }

  @Override
  public CommStats stats() {
    return host().stats();
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    parts.forEach(SharedDeviceCommunicator::close);
    if (ownsStream) {
      stream.close();
    } else {
      host().close();
    }
  }
}
