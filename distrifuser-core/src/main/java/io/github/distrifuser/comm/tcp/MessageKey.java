package io.github.distrifuser.comm.tcp;

/**
 * What pairs a message with its receive, between two ranks.
 *
 * @param group the group's number
 * @param collective whether a collective operation sent it
 * @param tag the transfer's tag; for a collective, its number in the group and its part
 */
record MessageKey(long group, boolean collective, long tag) {
  private static final int PARTS = 4;

  static MessageKey transfer(long group, int tag) {
    return new MessageKey(group, false, tag);
  }

  static MessageKey collective(long group, long sequence, int part) {
    return new MessageKey(group, true, sequence * PARTS + part);
  }

  @Override
  public String toString() {
    return collective ? "operation " + tag / PARTS : "tag " + tag;
  }
}
