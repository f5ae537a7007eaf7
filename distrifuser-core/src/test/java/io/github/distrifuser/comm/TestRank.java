package io.github.distrifuser.comm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.reference.ReferenceBackend;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;

/** A rank of a test, with tensors of its own. */
public final class TestRank implements AutoCloseable {
  public final Communicator world;
  public final int rank;
  public final int size;
  public final Backend backend = new ReferenceBackend(BackendOptions.defaults());

  TestRank(Communicator world) {
    this.world = world;
    this.rank = world.rank();
    this.size = world.size();
  }

  /** A tensor of these numbers. */
  public Tensor of(float... values) {
    Tensor t = backend.allocate(values.length);
    backend.write(values, 0, t);
    return t;
  }

  /** A tensor that nothing has come into: all -1. */
  public Tensor empty(long... dims) {
    Tensor t = backend.allocate(dims);
    backend.fill(t, -1);
    return t;
  }

  public void assertHolds(Tensor t, float... expected) {
    assertArrayEquals(expected, backend.toFloats(t));
  }

  /** Numbers that only a message of this name has. */
  public static float[] numbers(int n, long... name) {
    long seed = 17;
    for (long part : name) {
      seed = seed * 1_000_003 + part;
    }
    Random r = new Random(seed);
    float[] f = new float[n];
    for (int i = 0; i < n; i++) {
      f[i] = r.nextFloat();
    }
    return f;
  }

  /** Returns when another rank's thread has named itself and waits for something. */
  public static void untilItWaits(AtomicReference<Thread> other) throws InterruptedException {
    Set<Thread.State> waiting = Set.of(Thread.State.WAITING, Thread.State.TIMED_WAITING);
    long end = System.nanoTime() + 60_000_000_000L;
    while (true) {
      Thread t = other.get();
      if (t != null && waiting.contains(t.getState())) {
        return;
      }
      assertTrue(System.nanoTime() < end, "the other rank does not wait");
      Thread.sleep(1);
    }
  }

  /** Posts one transfer. */
  public Work post(Transfer transfer) {
    return world.exchange(List.of(transfer));
  }

  @Override
  public void close() {
    backend.close();
  }
}
