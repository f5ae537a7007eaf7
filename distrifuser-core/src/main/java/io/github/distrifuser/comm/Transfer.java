package io.github.distrifuser.comm;

import io.github.distrifuser.tensor.Tensor;

/**
 * One message of a grouped exchange.
 *
 * @param peer rank within the communicator
 * @param send true to send the tensor's bytes, false to receive into it
 * @param tag pairs a send with its receive; unique among the messages under way between two ranks
 * @param tensor dense from dimension 1 at least: gaps between dimension 0's entries are skipped
 */
public record Transfer(int peer, boolean send, int tag, Tensor tensor) {
  public static Transfer send(int peer, int tag, Tensor tensor) {
    return new Transfer(peer, true, tag, tensor);
  }

  public static Transfer receive(int peer, int tag, Tensor tensor) {
    return new Transfer(peer, false, tag, tensor);
  }
}
