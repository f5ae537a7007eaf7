package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.cuda.Companion;
import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.cuda.CudaEvent;
import io.github.distrifuser.cuda.CudaException;
import io.github.distrifuser.cuda.CudaStream;
import io.github.distrifuser.cuda.DeviceStorage;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What all groups of a rank share: the stream of its communication, and how its host waits for the
 * device while the device may wait for other ranks. One thread posts; any may abort.
 */
final class RankStream implements Companion, AutoCloseable {
  private static final String WAITING = "waiting for other ranks";
  private static final long SPIN_NANOS = 100_000;
  private static final long PAUSE_NANOS = 50_000;
  private static final long QUIET_NANOS = 5_000_000_000L;

  private final CudaContext context;
  private final Communicator world; // of the hosts
  private final CudaStream stream = new CudaStream();
  private final CudaEvent posted = new CudaEvent();
  private final ArrayDeque<CudaEvent> free = new ArrayDeque<>();
  private final List<CudaEvent> events = new CopyOnWriteArrayList<>();
  private final List<DeviceStorage> captured = new ArrayList<>(); // scratch of a capture
  private final List<NcclGroup> groups = new CopyOnWriteArrayList<>();
  private @Nullable CudaEvent last; // behind all that was posted
  private long posts;
  private long joined; // posts that the operators' stream waits for already
  private long scratch; // address, or 0
  private long scratchBytes;
  private volatile @Nullable CommException failure;
  private volatile Duration timeout = Communicator.DEFAULT_TIMEOUT;
  private volatile String doing = "";
  private Traffic sentBefore = new Traffic(0, 0); // the capture under way
  private long bytesSent;
  private long messagesSent;
  private long waitNanos;

  RankStream(CudaContext context, Communicator world) {
    this.context = context;
    this.world = world;
    context.compute().accompany(this);
  }

  CudaContext context() {
    return context;
  }

  CudaStream stream() {
    return stream;
  }

  int worldRank() {
    return world.worldRank();
  }

  /** A group that ends where this rank's communication fails, or has failed already. */
  synchronized void add(NcclGroup group) {
    groups.add(group);
    if (failure != null) {
      group.abort();
    }
  }

  void remove(NcclGroup group) {
    groups.remove(group);
  }

  void setTimeout(Duration value) {
    timeout = value;
  }

  void progress(String what) {
    doing = what;
  }

  void sent(long bytes, long messages) {
    bytesSent += bytes;
    messagesSent += messages;
  }

  long bytesSent() {
    return bytesSent;
  }

  long messagesSent() {
    return messagesSent;
  }

  long waitNanos() {
    return waitNanos;
  }

  // --- posting ---

  /** What is given to the stream from now on waits for all that the operators' stream was given. */
  void begin() {
    throwIfFailed();
    context.activate();
    posted.record(context.compute());
    stream.await(posted);
  }

  /** A work of all that the stream was given. */
  StreamWork end() {
    CudaEvent done = free.poll();
    if (done == null) {
      done = new CudaEvent();
      events.add(done);
    }
    done.record(stream);
    last = done;
    return new StreamWork(this, done, ++posts);
  }

  /** Lets the operators' stream wait for a work. */
  void follow(CudaEvent done, long number) {
    throwIfFailed();
    if (number > joined) {
      context.activate();
      context.compute().await(done);
      joined = number; // and all before it
    }
    free.push(done);
  }

  /** Memory that operations of the stream share, one after another: at least so many bytes. */
  long scratch(long bytes, String what) {
    if (context.isCapturing()) {
      // A graph keeps what it works in. Nothing is freed before its end: two streams use it.
      if (captured.isEmpty() || captured.get(captured.size() - 1).byteSize() < bytes) {
        captured.add(context.memory().allocate(Math.max(bytes, scratchBytes), what));
      }
      return captured.get(captured.size() - 1).address();
    }
    if (bytes > scratchBytes) {
      releaseScratch();
      scratch = context.memory().borrow(bytes, stream, what);
      scratchBytes = bytes;
    }
    return scratch;
  }

  private void releaseScratch() {
    if (scratchBytes > 0) {
      context.memory().giveBack(scratch, stream);
      scratchBytes = 0;
    }
  }

  // --- as the operators' companion ---

  /** Lets the operators' stream wait for all that this one was given. */
  private void join() {
    CudaEvent done = last;
    if (done != null && joined < posts) {
      context.compute().await(done);
      joined = posts;
    }
  }

  @Override
  public void beginCapture() {
    sentBefore = new Traffic(bytesSent, messagesSent);
  }

  @Override
  public Traffic endCapture() {
    join();
    Traffic each =
        new Traffic(bytesSent - sentBefore.bytes(), messagesSent - sentBefore.messages());
    leaveCapture();
    return each;
  }

  @Override
  public void abandonCapture() {
    joined = posts;
    leaveCapture();
  }

  private void leaveCapture() {
    bytesSent = sentBefore.bytes(); // nothing of it has run yet
    messagesSent = sentBefore.messages();
    releaseCaptured();
  }

  @Override
  public void sends(Traffic traffic) {
    sent(traffic.bytes(), traffic.messages());
  }

  private void releaseCaptured() {
    captured.forEach(DeviceStorage::close);
    captured.clear();
  }

  @Override
  public boolean isCapturable() {
    return true;
  }

  @Override
  public void await(CudaEvent point) {
    if (!point.isReached()) {
      waitUntil(point::isReached, "the device");
    }
  }

  /** Something that may come to be. */
  interface Condition {
    boolean isMet();
  }

  /**
   * Returns when a condition is met.
   *
   * @param what for what this rank waits, in a few words
   * @throws CommException where a rank has failed or takes too long; all groups are aborted then
   */
  void waitUntil(Condition condition, String what) {
    long start = System.nanoTime();
    boolean told = false;
    try {
      while (!condition.isMet()) {
        long waited = System.nanoTime() - start;
        watch();
        if (waited > timeout.toNanos()) {
          throw late(what);
        }
        if (!told && waited > timeout.toNanos() / 4) {
          told = true;
          world.progress(WAITING + (doing.isEmpty() ? "" : " in " + doing));
        }
        if (waited < SPIN_NANOS) {
          Thread.onSpinWait();
        } else {
          LockSupport.parkNanos(PAUSE_NANOS);
        }
      }
    } finally {
      waitNanos += System.nanoTime() - start;
    }
    if (told) {
      world.progress(doing);
    }
  }

  // --- failing ---

  void throwIfFailed() {
    CommException f = failure;
    if (f != null) {
      throw new CommException(f.rank(), f.getMessage(), f);
    }
  }

  boolean isFailed() {
    return failure != null;
  }

  /** Looks whether this rank's communication has failed, or another rank. */
  private void watch() {
    throwIfFailed();
    try {
      world.check();
    } catch (CommException e) {
      throw fail(e);
    }
    for (NcclGroup g : groups) {
      String error = g.error();
      if (error != null) {
        throw failHere("NCCL: " + error);
      }
    }
  }

  /** This rank's communication has failed: the others are told. */
  CommException failHere(String reason) {
    String where = doing.isEmpty() ? "" : " in " + doing;
    int rank = worldRank();
    CommException e =
        fail(new CommException(rank, "rank " + rank + " failed" + where + ": " + reason));
    world.abort(reason);
    return e;
  }

  /** Ends all of this rank's communication of devices, and with it what runs there. */
  synchronized CommException fail(CommException why) {
    if (failure == null) {
      failure = why;
      groups.forEach(NcclGroup::abort);
    }
    return why;
  }

  /** The time is up: it is the fault of those who do not wait themselves. */
  private CommException late(String what) {
    int culprit = -1;
    StringBuilder who = new StringBuilder();
    for (int r = 0; r < world.size(); r++) {
      String heard = r == worldRank() ? WAITING : world.heard(r);
      if (!heard.startsWith(WAITING)) {
        culprit = culprit < 0 ? r : culprit;
        who.append(who.length() == 0 ? "" : ", ").append("rank ").append(r);
        who.append(heard.isEmpty() ? "" : " (last seen: " + heard + ")");
      }
    }
    String time = inWords(timeout);
    String message =
        culprit < 0
            ? "all ranks have waited for each other for " + time
            : who + " is late: rank " + worldRank() + " has waited for " + what + " for " + time;
    CommException e = fail(new CommException(culprit, message));
    world.accuse(culprit, message);
    return e;
  }

  private static String inWords(Duration d) {
    long ms = d.toMillis();
    return ms % 1000 == 0 ? ms / 1000 + " s" : ms + " ms";
  }

  // --- leaving ---

  /** Waits for all that was posted, where nothing has failed. */
  void drain() {
    join();
    context.compute().synchronize();
  }

  /** After an abort: returns when nothing of it runs any more, so that memory may be freed. */
  private void awaitQuiet() {
    try {
      posted.record(stream);
      long end = System.nanoTime() + QUIET_NANOS;
      while (!posted.isReached() && System.nanoTime() < end) {
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    } catch (CudaException e) {
      // the device has failed: nothing runs there any more
    }
  }

  @Override
  public void close() {
    context.compute().accompany(null);
    if (isFailed()) {
      awaitQuiet();
    }
    try {
      releaseScratch();
    } finally {
      stream.close();
      posted.close();
      events.forEach(CudaEvent::close);
    }
  }
}
