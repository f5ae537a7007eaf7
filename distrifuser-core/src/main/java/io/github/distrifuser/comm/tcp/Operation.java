package io.github.distrifuser.comm.tcp;

/** What a message is part of; sent with it, so that ranks that do different things notice. */
enum Operation {
  EXCHANGE("exchange"),
  ALL_GATHER("allGather"),
  ALL_REDUCE("allReduceSum"),
  BROADCAST("broadcast"),
  ALL_GATHER_BYTES("allGatherBytes"),
  BARRIER("barrier");

  private final String label;

  Operation(String label) {
    this.label = label;
  }

  @Override
  public String toString() {
    return label;
  }
}
