package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The stand-ins notice the mistakes that they are there to notice. */
@Tag("cuda-standin")
class StandinTest {
  private CudaBackend backend;
  private CudaContext context;

  @BeforeEach
  void open() {
    Standin.load();
    Standin.clear();
    backend = CudaBackend.open(new BackendOptions(DType.F32, 0, 0));
    context = backend.context();
  }

  @AfterEach
  void close() {
    backend.close();
    assertEquals("", Standin.leaks());
    Standin.reset();
  }

  /** One buffer filled on the uploads' stream and doubled on the operators'. */
  private int wrongOf(int runs, boolean waits) {
    int wrong = 0;
    for (int seed = 0; seed < runs; seed++) {
      Standin.seed(seed);
      try (Tensor x = backend.allocate(1, 100);
          Tensor y = backend.allocate(1, 100);
          CudaEvent allocated = new CudaEvent();
          CudaEvent filled = new CudaEvent()) {
        allocated.record(context.compute());
        context.upload().await(allocated);
        context
            .kernel("fillStrided")
            .pointer(x)
            .f32(3)
            .i64(1, 1, 1, 1, 100)
            .i64(0, 0, 0, 0, 1)
            .elements(context.upload(), 100);
        filled.record(context.upload());
        if (waits) {
          context.compute().await(filled);
        }
        backend.scale(x, 2, y);
        for (float f : backend.toFloats(y)) {
          if (f != 6) {
            wrong++;
            break;
          }
        }
        backend.synchronize();
      }
      backend.trim();
    }
    return wrong;
  }

  @Test
  void aMissingWaitGivesWrongNumbers() {
    assertEquals(0, wrongOf(30, true));
    int wrong = wrongOf(30, false);
    assertTrue(wrong > 3, "of 30 schedules, " + wrong + " showed it");
  }

  @Test
  void useAfterFreeIsReported() {
    long freed;
    try (Tensor x = backend.allocate(1, 100)) {
      freed = x.address();
    }
    backend.trim(); // gives the cached block back
    try (Tensor y = backend.allocate(2, 100)) {
      context
          .kernel("scale")
          .pointer(freed)
          .f32(2)
          .pointer(y)
          .i64(1, 100)
          .i64(0, 0)
          .elements(context.compute(), 100);
      assertThrows(CudaException.class, backend::synchronize);
    }
    String reports = Standin.reports();
    assertTrue(reports.contains("scale_f32 touches memory that was freed"), reports);
    Standin.reset();
  }

  @Test
  void writingBehindTheEndIsReported() {
    try (Tensor x = backend.allocate(1, 64)) {
      context
          .kernel("fillStrided")
          .pointer(x)
          .f32(3)
          .i64(1, 1, 1, 1, 65)
          .i64(0, 0, 0, 0, 1)
          .elements(context.compute(), 65);
      backend.synchronize();
    }
    backend.trim();
    String reports = Standin.reports();
    assertTrue(reports.contains("wrote 0 bytes behind the end of an allocation"), reports);
  }

  @Test
  void copiesBehindTheEndAreReported() {
    try (Tensor x = backend.allocate(1, 64);
        Tensor y = backend.allocate(1, 1000)) {
      context.compute().copy(y.address(), x.address(), 257);
      assertThrows(CudaException.class, backend::synchronize);
      String reports = Standin.reports();
      assertTrue(reports.contains("touches 1 bytes behind the end of an allocation"), reports);
      Standin.reset();
    }
  }

  @Test
  void freeingTwiceIsReported() {
    long a = context.memory().borrow(100, context.upload(), "a test");
    context.memory().giveBack(a, context.upload());
    assertThrows(CudaException.class, () -> context.memory().giveBack(a, context.upload()));
    assertTrue(Standin.reports().contains("cudaFreeAsync of"));
  }

  @Test
  void aLeakIsListed() {
    String before = Standin.leaks();
    long a = context.memory().borrow(12345, context.upload(), "a test");
    CudaEvent event = new CudaEvent();
    String after = Standin.leaks();
    assertNotEquals(before, after);
    assertTrue(after.contains("events"), after);
    event.close();
    context.memory().giveBack(a, context.upload());
    context.upload().synchronize();
    assertEquals(before, Standin.leaks());
  }

  @Test
  void aWaitForWhatNobodyRecordsIsReported() {
    try (CudaEvent never = new CudaEvent();
        CudaStream other = new CudaStream()) {
      other.await(never); // not recorded yet: no wait at all
      other.synchronize();
    }
    assertEquals("", Standin.reports());
  }
}
