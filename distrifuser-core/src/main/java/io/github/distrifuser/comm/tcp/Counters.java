package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.CommStats;
import java.util.concurrent.atomic.LongAdder;

/** What a rank has sent, in all its groups. */
final class Counters {
  private final LongAdder bytes = new LongAdder();
  private final LongAdder messages = new LongAdder();
  private final LongAdder waitNanos = new LongAdder();

  void sent(long size) {
    bytes.add(size);
    messages.increment();
  }

  void waited(long nanos) {
    waitNanos.add(nanos);
  }

  CommStats stats() {
    return new CommStats(bytes.sum(), messages.sum(), waitNanos.sum());
  }
}
