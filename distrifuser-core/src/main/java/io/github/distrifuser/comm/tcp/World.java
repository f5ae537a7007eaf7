package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.RankEnvironment;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * All ranks as one of them sees them. Everything that changes does so on the event loop; it ends
 * once, by a failure or in order, and takes the connections, the works and the loop with it.
 */
final class World {
  private static final long BEAT_MS = 1000;
  private static final long FAREWELL_MS = 500; // for peers to take the news of a failure
  private static final long GOODBYE_MS = 2000;
  private static final long DRAIN_MS = 10_000;
  private static final long ABORT_MS = 1000;

  private final int rank;
  private final int size;
  private final Duration hangAfter;
  private final EventLoop loop;
  private final CompletableFuture<Thread> thread = new CompletableFuture<>(); // the loop's
  private final Counters counters = new Counters();
  private final Staging.Pool staging = new Staging.Pool();
  private final Map<Integer, Peer> peers = new TreeMap<>();
  private final Set<Channel> others = new HashSet<>(); // listeners, and connections of nobody yet
  private final Set<TcpWork> works = new LinkedHashSet<>();
  private final CompletableFuture<@Nullable Failure> ended = new CompletableFuture<>();
  private volatile @Nullable Failure failure;
  private volatile String doing = "";
  private @Nullable Future<?> beats;
  private @Nullable Future<?> hardEnd;
  private @Nullable Future<?> drainLimit;
  private long lastTick;
  private boolean closing;
  private boolean finishing;
  private int unflushed;

  World(RankEnvironment env, EventLoop loop) {
    this.rank = env.rank();
    this.size = env.worldSize();
    this.hangAfter = env.hangAfter();
    this.loop = loop;
    loop.execute(() -> thread.complete(Thread.currentThread()));
  }

  int rank() {
    return rank;
  }

  int size() {
    return size;
  }

  String ownName() {
    return "rank " + rank;
  }

  EventLoop loop() {
    return loop;
  }

  Staging.Pool staging() {
    return staging;
  }

  Counters counters() {
    return counters;
  }

  /** Completed when nothing is left but the loop's last breath; with the failure, if any. */
  CompletableFuture<@Nullable Failure> ended() {
    return ended;
  }

  // ---- from any thread ----

  /** Runs a task on the event loop; false where that is no more. */
  boolean run(Runnable task) {
    try {
      loop.execute(() -> guarded(task));
      return true;
    } catch (RejectedExecutionException e) {
      return false;
    }
  }

  /** Runs a task on the event loop; what it throws fails the world. */
  void guarded(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException | Error e) {
      fail(rank, ownName() + " failed: " + e, e);
    }
  }

  /** Posts a work: the task posts its receives and queues its sends. */
  void post(TcpWork work, Runnable task) {
    boolean accepted =
        run(
            () -> {
              if (finishing) {
                work.fail(end());
                return;
              }
              works.add(work);
              task.run();
              peers.values().forEach(Peer::pump);
              work.partDone();
            });
    if (!accepted) {
      work.fail(end());
    }
  }

  void throwIfFailed() {
    Failure f = failure;
    if (f != null) {
      throw f.exception();
    }
  }

  private Failure end() {
    Failure f = failure;
    return f != null ? f : new Failure(rank, ownName() + " has closed its communicator", null);
  }

  void abort(String reason) {
    String where = doing.isEmpty() ? "" : " in " + doing;
    run(() -> fail(rank, ownName() + " failed" + where + ": " + reason, null));
    awaitEnd(ABORT_MS);
  }

  void accuse(int culprit, String message) {
    run(() -> fail(culprit, message, null));
    awaitEnd(ABORT_MS);
  }

  /** A work's time is up. */
  void late(TcpWork work, Duration timeout) {
    run(
        () -> {
          if (!works.contains(work)) {
            return;
          }
          for (Peer p : peers.values()) {
            String missing = p.missing(work);
            if (missing != null) {
              fail(p.rank(), p.late(missing + " within " + inWords(timeout)), null);
              return;
            }
          }
          fail(rank, ownName() + " was not done within " + inWords(timeout), null);
        });
  }

  /** What this rank does from now on. */
  void note(String what) {
    doing = what;
    run(() -> peers.values().forEach(p -> p.write(Frames.note(what))));
  }

  /** Sends what is queued, says goodbye and ends. Returns when all has ended. */
  void close() {
    run(
        () -> {
          closing = true;
          if (!finishing && drainLimit == null) {
            drainLimit = loop.schedule(this::leave, DRAIN_MS, TimeUnit.MILLISECONDS);
            drained();
          }
        });
    awaitEnd(DRAIN_MS + GOODBYE_MS + ABORT_MS);
  }

  /** Waits for the loop to end, which it does once all else has. */
  void awaitEnd(long ms) {
    try {
      Thread t = thread.get(ms, TimeUnit.MILLISECONDS);
      t.join(ms);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // it ends by itself
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("the event loop does not run", e);
    }
  }

  // ---- on the event loop ----

  Peer peer(int worldRank) {
    Peer p = peers.get(worldRank);
    if (p == null) {
      throw new IllegalStateException("there is no connection with rank " + worldRank);
    }
    return p;
  }

  Collection<Peer> peers() {
    return peers.values();
  }

  boolean has(int worldRank) {
    return peers.containsKey(worldRank);
  }

  void add(Peer peer) {
    others.remove(peer.channel());
    peers.put(peer.rank(), peer);
  }

  /** Closes a channel that is no peer's when the world ends. */
  void track(Channel channel) {
    if (finishing) {
      channel.close();
      return;
    }
    others.add(channel);
    channel.closeFuture().addListener(f -> others.remove(channel));
  }

  boolean isTracked(Channel channel) {
    return others.contains(channel);
  }

  private void closeOthers() {
    List<Channel> all = List.copyOf(others);
    others.clear();
    all.forEach(Channel::close);
  }

  boolean isFinishing() {
    return finishing;
  }

  /** All ranks are connected: their signs of life are watched from now on. */
  void start() {
    closeOthers();
    long interval = Math.max(10, Math.min(BEAT_MS, hangAfter.toMillis() / 4));
    lastTick = System.nanoTime();
    peers.values().forEach(p -> p.heardAt(lastTick));
    beats =
        loop.scheduleAtFixedRate(
            () -> guarded(() -> tick(interval)), interval, interval, TimeUnit.MILLISECONDS);
  }

  private void tick(long interval) {
    long now = System.nanoTime();
    if (now - lastTick > TimeUnit.MILLISECONDS.toNanos(2 * interval)) {
      // This process was stopped: what came meanwhile has not been read yet.
      peers.values().forEach(p -> p.heardAt(now));
    }
    lastTick = now;
    for (Peer p : peers.values()) {
      p.beat();
      if (p.silence(now) > hangAfter.toNanos()) {
        fail(p.rank(), p.hangs("nothing heard for " + inWords(hangAfter)), null);
        return;
      }
    }
  }

  static String inWords(Duration d) {
    long ms = d.toMillis();
    return ms % 1000 == 0 ? ms / 1000 + " s" : ms + " ms";
  }

  void forget(TcpWork work) {
    works.remove(work);
  }

  /** The first failure counts; all ranks are told. */
  void fail(int culprit, String message, @Nullable Throwable cause) {
    if (finishing) {
      return;
    }
    Failure f = new Failure(culprit, message, cause);
    failure = f;
    finish(() -> Frames.fail(culprit, message), f, FAREWELL_MS);
  }

  /** A peer's queue has become empty. */
  void drained() {
    if (closing && !finishing && peers.values().stream().allMatch(Peer::isDrained)) {
      leave();
    }
  }

  private void leave() {
    if (!finishing) {
      String early = ownName() + " closed its communicator before its operations were done";
      finish(() -> Frames.control(Frames.GOODBYE), new Failure(rank, early, null), GOODBYE_MS);
    }
  }

  private void finish(Supplier<ByteBuf> lastFrame, Failure forWorks, long limitMs) {
    finishing = true;
    cancel(beats);
    cancel(drainLimit);
    closeOthers();
    hardEnd = loop.schedule(this::closeAll, limitMs, TimeUnit.MILLISECONDS);
    unflushed = peers.size() + 1;
    for (Peer p : List.copyOf(peers.values())) {
      p.finish(lastFrame.get(), () -> flushed(forWorks));
    }
    flushed(forWorks);
  }

  private static void cancel(@Nullable Future<?> timer) {
    if (timer != null) {
      timer.cancel(false);
    }
  }

  private void flushed(Failure forWorks) {
    unflushed--;
    if (unflushed == 0) {
      List.copyOf(works).forEach(w -> w.fail(forWorks));
      works.clear();
      peerEnded();
    }
  }

  /** A peer's side of the connection has ended. */
  void peerEnded() {
    if (finishing && unflushed == 0 && peers.values().stream().allMatch(Peer::hasEnded)) {
      closeAll();
    }
  }

  private void closeAll() {
    cancel(hardEnd);
    peers.values().forEach(p -> p.channel().close());
    if (ended.complete(failure)) {
      loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }
}
