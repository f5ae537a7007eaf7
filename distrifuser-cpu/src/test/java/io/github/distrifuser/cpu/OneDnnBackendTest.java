package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Memory, life cycle, threads and messages. */
class OneDnnBackendTest {
  private final Fixture fixture = new Fixture();

  private static OneDnnBackend backend(int threads) {
    return new OneDnnBackend(new BackendOptions(DType.F32, threads, 0));
  }

  @Test
  void isFoundAndPreferredOnTheCpu() {
    BackendProvider p = Backends.choose("cpu");
    assertInstanceOf(OneDnnBackendProvider.class, p);
    assertNull(p.unavailableReason());
    assertEquals("onednn", p.name());
    assertEquals(1, p.deviceCount());
    try (Backend b = p.create(new BackendOptions(DType.F32, 3, 0))) {
      assertEquals("cpu", b.device().toString());
      assertEquals(3, b.threads());
      assertEquals(DType.F32, b.dtype());
    }
    assertThrows(
        IllegalArgumentException.class, () -> p.create(new BackendOptions(DType.F32, 0, 1)));
  }

  @Test
  void countsMemoryAndReusesIt() {
    try (OneDnnBackend b = backend(1)) {
      Tensor a = b.allocate(3, 5, 7);
      Tensor c = b.allocate(DType.F16, Shape.of(11));
      assertEquals(442, b.memory().liveBytes());
      assertEquals(2, b.memory().liveTensors());
      c.close();
      c.close();
      assertEquals(420, b.memory().liveBytes());
      assertEquals(442, b.memory().peakBytes());
      assertEquals(0, a.address() % 64);
      a.reshape(105).close();
      assertEquals(1, b.memory().liveTensors());
      long where = a.address();
      a.close();
      assertEquals(where, b.allocate(105).address());
    }
  }

  @Test
  void aLoopOfFixedShapesReservesNothingMore() {
    try (OneDnnBackend b = backend(2);
        PreparedWeight conv =
            b.prepareConv2d("c", fixture.weight(DType.F32, 1, 64, 32, 3, 3), null);
        PreparedWeight linear =
            b.prepareLinear("l", List.of(fixture.weight(DType.F32, 1, 192, 64)), null)) {
      long reserved = 0;
      MemoryStats before = b.memory();
      for (int i = 0; i < 4; i++) {
        try (Tensor x = b.allocate(2, 48, 48, 32);
            Tensor y = b.allocate(2, 48, 48, 64);
            Tensor qkv = b.allocate(2, 48 * 48, 192);
            Tensor out = b.allocate(2, 48 * 48, 64)) {
          b.fill(x, 1);
          b.conv2d(x, conv, Conv2dGeometry.of(1, 1), null, null, y);
          b.linear(y.reshape(2, 48 * 48, 64), linear, Activation.NONE, null, qkv);
          b.attention(
              qkv.slice(2, 0, 64), qkv.slice(2, 64, 128), qkv.slice(2, 128, 192), 8, 1, false, out);
        }
        if (i > 0) {
          assertEquals(reserved, b.memory().reservedBytes());
        }
        reserved = b.memory().reservedBytes();
      }
      assertEquals(before.liveBytes(), b.memory().liveBytes());
      assertEquals(before.liveTensors(), b.memory().liveTensors());
      b.trim();
      assertEquals(0, b.memory().reservedBytes());
    }
  }

  @Test
  void blocksMergeAndSplit() {
    SlabAllocator allocator = new SlabAllocator();
    SlabAllocator.Block[] blocks = new SlabAllocator.Block[6];
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < blocks.length; i++) {
        blocks[i] = allocator.take((2L << 20) + 100 * i);
        for (int j = 0; j < i; j++) {
          boolean apart =
              blocks[i].address() + blocks[i].size() <= blocks[j].address()
                  || blocks[j].address() + blocks[j].size() <= blocks[i].address();
          assertTrue(apart, "blocks overlap");
        }
      }
      for (int i : new int[] {1, 3, 2, 0, 5, 4}) {
        allocator.give(blocks[i]);
        allocator.give(blocks[i]);
      }
      // all parts are one again
      SlabAllocator.Block whole = allocator.take(32L << 20);
      allocator.give(whole);
      assertEquals(32L << 20, allocator.reserved());
    }
    allocator.trim();
    assertEquals(0, allocator.reserved());
    allocator.close();
  }

  @Test
  void useAfterCloseThrows() {
    OneDnnBackend b = backend(1);
    Tensor closed = b.allocate(4);
    Tensor open = b.allocate(4);
    PreparedWeight w = b.prepareLinear("l", List.of(fixture.weight(DType.F32, 1, 4, 4)), null);
    PreparedWeight rows = w.rows(0, 4);
    closed.close();
    assertThrows(IllegalStateException.class, closed::address);
    assertThrows(IllegalStateException.class, () -> b.fill(closed, 0));
    assertThrows(
        IllegalStateException.class, () -> b.linear(closed, w, Activation.NONE, null, open));
    w.close();
    w.close();
    Tensor out = b.allocate(4);
    assertThrows(IllegalStateException.class, () -> b.linear(open, w, Activation.NONE, null, out));
    assertThrows(
        IllegalStateException.class, () -> b.linear(open, rows, Activation.NONE, null, out));
    b.close();
    b.close();
    assertTrue(open.storage().isClosed());
    assertThrows(IllegalStateException.class, open::address);
    assertThrows(IllegalStateException.class, () -> b.allocate(1));
    assertThrows(IllegalStateException.class, () -> b.fill(open, 0));
    open.close();
    assertEquals(0, b.memory().liveBytes());
    assertEquals(0, b.memory().reservedBytes());
  }

  @Test
  void ranksAsThreadsShareWeightsAndHaveTheirOwnThreadCounts() throws Exception {
    float[] x = fixture.floats(2 * 40 * 40 * 32, 1);
    try (OneDnnBackend maker = backend(2);
        PreparedWeight conv =
            maker.prepareConv2d("c", fixture.weight(DType.F16, 0.1f, 48, 32, 3, 3), null);
        PreparedWeight linear =
            maker.prepareLinear("l", List.of(fixture.weight(DType.F16, 0.1f, 64, 48)), null)) {
      ExecutorService ranks = Executors.newFixedThreadPool(3);
      try {
        Callable<float[]> rank =
            () -> {
              float[] result = new float[0];
              for (int threads : new int[] {1, 3, 2}) {
                try (OneDnnBackend b = backend(threads)) {
                  Tensor in = Fixture.dense(b, x, 2, 40, 40, 32);
                  Tensor y = b.allocate(2, 40, 40, 48);
                  Tensor z = b.allocate(2, 40 * 40, 64);
                  for (int i = 0; i < 10; i++) {
                    b.conv2d(in, conv, Conv2dGeometry.of(1, 1), null, null, y);
                    b.linear(y.reshape(2, 1600, 48), linear, Activation.SILU, null, z);
                  }
                  float[] f = b.toFloats(z);
                  if (result.length > 0) {
                    Fixture.assertClose(threads + " threads", result, f, 1e-5, 1e-5);
                  }
                  result = f;
                }
              }
              return result;
            };
        List<Future<float[]>> results = ranks.invokeAll(List.of(rank, rank, rank));
        assertArrayEquals(results.get(0).get(), results.get(1).get());
        assertArrayEquals(results.get(0).get(), results.get(2).get());
      } finally {
        ranks.shutdownNow();
      }
    }
  }

  @Test
  void hostKernelsDoNotDependOnTheNumberOfThreads() {
    float[] x = fixture.floats(2 * 61 * 67 * 96, 1);
    float[] one = moments(1, x);
    assertArrayEquals(one, moments(2, x));
    assertArrayEquals(one, moments(5, x));
  }

  private static float[] moments(int threads, float[] x) {
    try (OneDnnBackend b = backend(threads)) {
      Tensor m = b.allocate(2, 32, 2);
      b.groupMoments(Fixture.dense(b, x, 2, 61, 67, 96), 32, m);
      return b.toFloats(m);
    }
  }

  @Test
  void aFailingHostTaskIsReportedByTheCaller() {
    try (Workers w = new Workers(3)) {
      for (int round = 0; round < 20; round++) {
        assertThrows(
            IllegalStateException.class,
            () ->
                w.run(
                    100,
                    (i, scratch) -> {
                      if (i == 57) {
                        throw new IllegalStateException("task " + i);
                      }
                    }));
      }
      int[] done = new int[1000];
      w.run(done.length, (i, scratch) -> done[i]++);
      for (int d : done) {
        assertEquals(1, d);
      }
    }
  }

  @Test
  void messagesNameWhatWasExpectedAndFound() {
    try (OneDnnBackend b = backend(1);
        PreparedWeight w =
            b.prepareLinear("mid.to_q", List.of(fixture.weight(DType.F32, 1, 8, 4)), null);
        PreparedWeight n =
            b.prepareNorm(
                "norm", fixture.weight(DType.F32, 1, 4), fixture.weight(DType.F32, 1, 4))) {
      Tensor x = b.allocate(3, 5);
      Tensor y = b.allocate(3, 8);
      String message =
          assertThrows(
                  IllegalArgumentException.class, () -> b.linear(x, w, Activation.NONE, null, y))
              .getMessage();
      assertTrue(message.contains("mid.to_q") && message.contains("[3, 5]"), message);
      assertThrows(IllegalArgumentException.class, () -> b.linear(y, n, Activation.NONE, null, x));
      assertThrows(UnsupportedOperationException.class, () -> n.rows(0, 1));
      assertThrows(IllegalArgumentException.class, () -> w.rows(0, 3));
      String file =
          assertThrows(
                  IllegalArgumentException.class,
                  () ->
                      b.prepareNorm(
                          "norm", fixture.weight(DType.F32, 1, 4), fixture.weight(DType.F32, 1, 5)))
              .getMessage();
      assertEquals("test: test.weight: expected [4], found [5]", file);
      assertThrows(IllegalArgumentException.class, () -> b.write(new float[3], 0, y));
    }
  }

  @Test
  void aMappedWeightIsUsedWhereItLies() {
    try (OneDnnBackend b = backend(1)) {
      var one = fixture.weight(DType.F16, 1, 64, 32);
      var two = fixture.weight(DType.F32, 1, 64, 32);
      LinearWeight mapped = (LinearWeight) b.prepareLinear("l", List.of(one), null);
      assertEquals(Address.of(one.data()), mapped.address());
      assertEquals(64 * 32 * 2, mapped.bytes());
      LinearWeight mixed = (LinearWeight) b.prepareLinear("l", List.of(one, two), null);
      assertEquals(DType.F32, mixed.dtype());
      LinearWeight same = (LinearWeight) b.prepareLinear("l", List.of(one, one), null);
      assertEquals(DType.F16, same.dtype());
      LinearWeight tail = (LinearWeight) same.rows(64, 128);
      assertEquals(same.address() + 64 * 32 * 2, tail.address());
      assertEquals(Shape.of(64, 32), tail.shape());
      same.close();
      assertThrows(IllegalStateException.class, tail::address);
      mapped.close();
      mixed.close();
    }
  }

  @Test
  void ompThreadsCanBeChosen() {
    assertTrue(OmpThreads.canSet());
    assertFalse(OmpThreads.defaultThreads() < 1);
  }
}
