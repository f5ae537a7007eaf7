package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.tensor.Tensor;

/** The ranks that divide a model's layers, and this rank's place among them. */
final class ShardGroup {
  private final Communicator communicator;

  ShardGroup(Communicator communicator) {
    this.communicator = communicator;
  }

  int size() {
    return communicator.size();
  }

  /** Whether this rank is the one that adds what must be added once: biases and residuals. */
  boolean isFirst() {
    return communicator.rank() == 0;
  }

  /** This rank's share of heads or groups. */
  Share share(long units, long unit) {
    return Share.of(units, unit, size(), communicator.rank());
  }

  /** This rank's share of channels. */
  Share channels(long channels) {
    return Share.ofChannels(channels, size(), communicator.rank());
  }

  /** A name for this rank's share of a weight, so that ranks can keep theirs in one store. */
  String key(String name) {
    return name + "#" + communicator.rank() + "/" + size();
  }

  /** Replaces each rank's part by the sum of all. */
  void sum(Tensor part) {
    communicator.allReduceSum(part).await();
  }
}
