package io.github.distrifuser.comm.tcp;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.stream.IntStream;

/** Ranks of a world that talk among themselves. Sends and receives are posted on the event loop. */
final class Group {
  /** What a message is. */
  record Message(MessageKey key, Operation operation) {}

  private final World world;
  private final long id;
  private final List<Integer> members; // world ranks, ascending
  private final int rank;
  private final List<Integer> others;

  Group(World world, long id, List<Integer> members) {
    this.world = world;
    this.id = id;
    this.members = List.copyOf(members);
    this.rank = members.indexOf(world.rank());
    this.others = IntStream.range(0, members.size()).filter(r -> r != rank).boxed().toList();
  }

  /** All ranks of a world. */
  static Group all(World world) {
    return new Group(world, 0, IntStream.range(0, world.size()).boxed().toList());
  }

  /**
   * The n-th group made within this one.
   *
   * @param ranks numbers within this group
   * @throws IllegalArgumentException where they are not ascending numbers of this group, or this
   *     rank is not among them
   */
  Group part(long n, List<Integer> ranks) {
    for (int i = 0; i < ranks.size(); i++) {
      int r = ranks.get(i);
      if (r < 0 || r >= size() || (i > 0 && r <= ranks.get(i - 1))) {
        throw new IllegalArgumentException(
            "a group of " + size() + " ranks has no part " + ranks + ": give ascending numbers");
      }
    }
    if (!ranks.contains(rank)) {
      throw new IllegalArgumentException("rank " + rank + " is not in the group " + ranks);
    }
    List<Integer> part = ranks.stream().map(members::get).toList();
    return new Group(world, idOf(id + "/" + n + part), part);
  }

  /** All members find the same number without talking; others find other ones. */
  private static long idOf(String name) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
      return ByteBuffer.wrap(hash).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JVM has it
    }
  }

  World world() {
    return world;
  }

  long id() {
    return id;
  }

  int rank() {
    return rank;
  }

  int size() {
    return members.size();
  }

  /** All but this rank, as numbers within the group. */
  List<Integer> others() {
    return others;
  }

  void send(int to, Message message, HostBytes bytes, TcpWork work, Runnable sent) {
    world.counters().sent(bytes.size());
    world
        .peer(members.get(to))
        .send(id, new OutgoingMessage(message.key(), message.operation(), bytes, work, sent));
  }

  void receive(int from, Message message, HostBytes bytes, TcpWork work, Runnable done) {
    receive(from, message, new Sink.Memory(bytes), work, done);
  }

  void receive(int from, Message message, Sink sink, TcpWork work, Runnable done) {
    world
        .peer(members.get(from))
        .post(new Receive(message.key(), message.operation(), sink, work, done));
  }

  /** Tells the others that this rank has left. */
  void leave() {
    world.run(
        () -> {
          others.forEach(r -> world.peer(members.get(r)).leaveGroup(id));
          pump();
        });
  }

  /** Sets going what was queued. */
  void pump() {
    others.forEach(r -> world.peer(members.get(r)).pump());
  }
}
