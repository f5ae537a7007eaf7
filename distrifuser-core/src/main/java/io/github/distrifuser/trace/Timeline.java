package io.github.distrifuser.trace;

import java.util.ArrayList;
import java.util.List;

/** Collects what ranks did. Thread-safe. */
public final class Timeline {
  private final List<Event> events = new ArrayList<>();

  /** What an event is. */
  public enum Track {
    COMPUTE,
    COMMUNICATION,
    WAIT
  }

  /**
   * Something that took time.
   *
   * @param rank in the whole world
   * @param beginNanos {@link System#nanoTime()} at its start
   * @param endNanos the same at its end
   */
  public record Event(int rank, Track track, String name, long beginNanos, long endNanos) {}

  /** Adds an event. */
  public void add(int rank, Track track, String name, long beginNanos, long endNanos) {
    Event e = new Event(rank, track, name, beginNanos, endNanos);
    synchronized (events) {
      events.add(e);
    }
  }

  /** All events so far, in the order in which they ended. */
  public List<Event> events() {
    synchronized (events) {
      return List.copyOf(events);
    }
  }

  /** Forgets all. */
  public void clear() {
    synchronized (events) {
      events.clear();
    }
  }
}
