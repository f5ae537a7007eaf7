package io.github.distrifuser.plan;

import java.util.List;

/** What a rank does in a step, one after another. */
public sealed interface RankEvent {

  /** Computes. */
  record Compute(Operator operator) implements RankEvent {}

  /**
   * Posts an operation between ranks, which runs in the background. Posts of a step are numbered
   * from 0.
   *
   * @param group world ranks of those that take part, ascending
   * @param messages what this rank sends and receives, by point-to-point messages
   * @param reducedBytes bytes that are summed over the group, or 0 where nothing is
   */
  record Post(List<Integer> group, List<Message> messages, long reducedBytes) implements RankEvent {
    public Post {
      group = List.copyOf(group);
      messages = List.copyOf(messages);
    }

    /** Payload that this rank sends; a sum takes the bytes of a ring. */
    public long bytesSent() {
      int n = group.size();
      return messages.stream().filter(Message::send).mapToLong(Message::bytes).sum()
          + 2 * (n - 1) * reducedBytes / n;
    }

    /** Payload that this rank receives. */
    public long bytesReceived() {
      int n = group.size();
      return messages.stream().filter(m -> !m.send()).mapToLong(Message::bytes).sum()
          + 2 * (n - 1) * reducedBytes / n;
    }
  }

  /**
   * One message of a post.
   *
   * @param peer world rank of the other side
   * @param send whether this rank sends it
   * @param tag pairs a send with its receive
   * @param bytes payload
   */
  record Message(int peer, boolean send, int tag, long bytes) {}

  /**
   * Waits until a post is done.
   *
   * @param stepsBack 0 for a post of the same step, 1 for one of the step before
   * @param post its number among the posts of its step
   */
  record Await(int stepsBack, int post) implements RankEvent {}
}
