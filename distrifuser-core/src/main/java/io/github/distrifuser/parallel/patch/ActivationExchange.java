package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.ExchangePlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Carries the layers' activations between the ranks of one image. A layer owns a {@link Slot}: the
 * messages it sends and receives, the same in every step. It posts the slot once it has read what
 * the step before brought, and waits for it when it runs again. Small messages of several layers
 * travel together.
 */
public final class ActivationExchange {
  private static final int UNKNOWN = -2;
  private static final int NONE = -1;

  private final Communicator group;
  private final int batchOf;
  private final ExchangePlan plan = new ExchangePlan();
  private final List<Slot> slots = new ArrayList<>();
  private final List<Slot> pending = new ArrayList<>();
  private final Set<ExchangeKind> posting;
  private int firstPosting = UNKNOWN;
  private boolean firstAsynchronous;

  /**
   * An exchange within a group.
   *
   * @param batchOf how many slots of small messages are sent together
   * @param posting kinds of messages that are posted, in the steps in which any are
   */
  ActivationExchange(Communicator group, int batchOf, Set<ExchangeKind> posting) {
    this.group = group;
    this.batchOf = batchOf;
    this.posting = posting;
  }

  public Communicator group() {
    return group;
  }

  /** What has been planned so far. */
  public ExchangePlan plan() {
    return plan;
  }

  /** A layer's messages, fixed for a shape. */
  public final class Slot {
    private final ExchangePlan.Entry entry;
    private final List<Transfer> transfers;
    private @Nullable Work posted;

    private Slot(ExchangePlan.Entry entry, List<Transfer> transfers) {
      this.entry = entry;
      this.transfers = transfers;
    }

    /** Sends and receives now, and returns when it is done. */
    public void exchangeNow() {
      flush();
      if (!transfers.isEmpty()) {
        group.exchange(transfers).await();
      }
    }

    /** Sends and receives in the background; buffers must rest until {@link #await}. */
    public void post() {
      if (entry.slot() == lateSlot()) {
        postLate();
        return;
      }
      if (transfers.isEmpty()) {
        return;
      }
      pending.add(this);
      if (entry.kind() == ExchangeKind.KEY_VALUE || pending.size() >= batchOf) {
        flush();
      }
    }

    private void postLate() {
      if (!firstAsynchronous && !transfers.isEmpty()) {
        posted = group.exchange(transfers);
      }
    }

    /** Returns when what was posted last has arrived; at once where nothing was. */
    public void await() {
      if (pending.contains(this)) {
        flush();
      }
      if (posted != null) {
        posted.await();
        posted = null;
      }
    }
  }

  /** Whether this is the generation's first step that posts: see {@link #lateSlot}. */
  void setFirstAsynchronous(boolean first) {
    firstAsynchronous = first;
  }

  /** Plans a layer's messages. Layers do so in the same order on all ranks. */
  public Slot slot(String layer, ExchangeKind kind, Messages messages) {
    ExchangePlan.Entry entry = plan.add(layer, kind, messages.sentBytes(), messages.receivers());
    Slot slot = new Slot(entry, messages.transfers(entry.slot()));
    slots.add(slot);
    return slot;
  }

  /** Posts what is waiting for company. Called at the end of every step. */
  public void flush() {
    if (pending.isEmpty()) {
      return;
    }
    List<Transfer> all = new ArrayList<>();
    for (Slot s : pending) {
      all.addAll(s.transfers);
    }
    Work work = group.exchange(all);
    for (Slot s : pending) {
      s.posted = work;
    }
    pending.clear();
  }

  /**
   * The slot whose first posting is left out, or {@link #NONE}.
   *
   * <p>The original puts messages into a queue that leaves when it is full, or else when the first
   * layer posts again. Where all messages of a step find room in it, the first layer runs a second
   * time before its first message has left, so that it reads the last synchronous step's
   * activations twice; from then on it is a step behind like all others. The original's pictures
   * depend on it.
   */
  private int lateSlot() {
    if (firstPosting == UNKNOWN) {
      List<ExchangePlan.Entry> all =
          plan.entries().stream().filter(e -> posting.contains(e.kind())).toList();
      firstPosting = all.isEmpty() || all.size() >= batchOf ? NONE : all.get(0).slot();
    }
    return firstPosting;
  }

  /**
   * Returns when everything posted has arrived, so that buffers may be freed, or the next step
   * captured.
   */
  public void drain() {
    flush();
    slots.forEach(Slot::await);
  }

  /** Forgets what was posted in a capture that failed. */
  public void forget() {
    pending.clear();
    slots.forEach(s -> s.posted = null);
  }
}
