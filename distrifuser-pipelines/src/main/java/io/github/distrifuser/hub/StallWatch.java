package io.github.distrifuser.hub;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Breaks connections that bring nothing any more, or all of them; Java's client has no such limit
 * of its own, and its streams don't heed interrupts.
 */
final class StallWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StallWatch.class);

  private final Duration limit;
  private final ScheduledExecutorService timer;
  private final Set<Watched> live = ConcurrentHashMap.newKeySet();
  private volatile boolean broken;

  StallWatch(Duration limit) {
    this.limit = limit;
    this.timer =
        Executors.newSingleThreadScheduledExecutor(
            r -> {
              Thread t = new Thread(r, "hub-stall-watch");
              t.setDaemon(true);
              return t;
            });
  }

  /** Watches a stream; closing the result ends the watch and leaves the stream open. */
  Watched watch(InputStream in) {
    Watched w = new Watched(in);
    live.add(w);
    return w;
  }

  /** Breaks all connections, now and later. */
  void breakAll() {
    broken = true;
    live.forEach(Watched::shut);
  }

  /** Whether all connections are broken because nobody waits for them any more. */
  boolean isBroken() {
    return broken;
  }

  /** A stream that is closed when a read takes too long. */
  final class Watched implements AutoCloseable {
    private final InputStream in;
    private final Future<?> check;
    private volatile long since = System.nanoTime();
    private volatile boolean stalled;

    private Watched(InputStream in) {
      this.in = in;
      long period = Math.max(1, limit.toMillis() / 8);
      this.check = timer.scheduleWithFixedDelay(this::check, period, period, TimeUnit.MILLISECONDS);
    }

    private void check() {
      if (!stalled && System.nanoTime() - since > limit.toNanos()) {
        stalled = true;
        shut();
      }
    }

    private void shut() {
      try {
        in.close();
      } catch (IOException e) {
        LOG.debug("a connection that is given up cannot be closed", e);
      }
    }

    int read(byte[] buffer) throws IOException {
      int n;
      if (broken) {
        throw new IOException("the download is given up");
      }
      try {
        since = System.nanoTime();
        n = in.read(buffer);
        since = System.nanoTime();
      } catch (IOException e) {
        throw stalled ? stalled() : e;
      }
      if (stalled) {
        throw stalled();
      }
      return n;
    }

    private IOException stalled() {
      return new IOException("nothing came for " + limit.toMillis() + " ms");
    }

    @Override
    public void close() {
      check.cancel(false);
      live.remove(this);
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
