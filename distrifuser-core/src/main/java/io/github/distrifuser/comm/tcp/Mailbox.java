package io.github.distrifuser.comm.tcp;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Pairs the messages of one peer with the receives posted for them. Used on the event loop. */
final class Mailbox {
  private final int ownRank;
  private final Map<MessageKey, Queue<Receive>> posted = new HashMap<>();
  private final Map<MessageKey, Queue<Incoming>> waiting = new HashMap<>();

  Mailbox(int ownRank) {
    this.ownRank = ownRank;
  }

  private static <T> @Nullable T poll(Map<MessageKey, Queue<T>> map, MessageKey key) {
    Queue<T> queue = map.get(key);
    if (queue == null) {
      return null;
    }
    T first = queue.poll();
    if (queue.isEmpty()) {
      map.remove(key);
    }
    return first;
  }

  /** What is wrong with the pairing, or null. */
  @Nullable String post(Receive receive) {
    Incoming message = poll(waiting, receive.key());
    if (message == null) {
      posted.computeIfAbsent(receive.key(), k -> new ArrayDeque<>(1)).add(receive);
      return null;
    }
    String wrong = pair(receive, message);
    if (wrong != null) {
      message.release();
    }
    return wrong;
  }

  /** What is wrong with the pairing, or null. */
  @Nullable String begin(Incoming message) {
    Receive receive = poll(posted, message.key());
    if (receive == null) {
      waiting.computeIfAbsent(message.key(), k -> new ArrayDeque<>(1)).add(message);
      return null;
    }
    return pair(receive, message);
  }

  private @Nullable String pair(Receive receive, Incoming message) {
    if (receive.operation() != message.operation()) {
      return "called %s where rank %d called %s"
          .formatted(message.operation(), ownRank, receive.operation());
    }
    if (!receive.sink().begin(message.length())) {
      return "has %d bytes where rank %d expects %s (%s, %s)"
          .formatted(
              message.length(),
              ownRank,
              receive.sink().expected(),
              message.operation(),
              message.key());
    }
    message.deliverTo(receive);
    return null;
  }

  /** True where a message with this key has come that nobody has asked for yet. */
  boolean holds(MessageKey key) {
    return waiting.containsKey(key);
  }

  /** A receive that nothing has come for. */
  @Nullable Receive pending(Predicate<Receive> which) {
    return posted.values().stream()
        .flatMap(Collection::stream)
        .filter(which)
        .findFirst()
        .orElse(null);
  }

  void clear() {
    posted.clear();
    waiting.values().forEach(q -> q.forEach(Incoming::release));
    waiting.clear();
  }
}
