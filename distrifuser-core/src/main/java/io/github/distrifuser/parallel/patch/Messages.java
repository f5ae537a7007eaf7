package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** The messages of a slot while they are being listed. */
public final class Messages {
  private static final int PER_SLOT = 2;

  private record Message(int peer, boolean send, int channel, Tensor tensor) {}

  private final List<Message> list = new ArrayList<>();

  /**
   * Adds a sending.
   *
   * @param channel 0 or 1: tells apart the two messages that a pair of ranks may exchange
   */
  public Messages send(int peer, int channel, Tensor tensor) {
    list.add(new Message(peer, true, channel, tensor));
    return this;
  }

  /** Adds a receiving, on the channel that its sender uses. */
  public Messages receive(int peer, int channel, Tensor tensor) {
    list.add(new Message(peer, false, channel, tensor));
    return this;
  }

  List<Transfer> transfers(int slot) {
    List<Transfer> all = new ArrayList<>();
    for (Message m : list) {
      all.add(new Transfer(m.peer, m.send, slot * PER_SLOT + m.channel, m.tensor));
    }
    return all;
  }

  List<Long> sentBytes() {
    return list.stream().filter(Message::send).map(m -> m.tensor.byteSize()).toList();
  }

  List<Integer> receivers() {
    return list.stream().filter(Message::send).map(Message::peer).toList();
  }
}
