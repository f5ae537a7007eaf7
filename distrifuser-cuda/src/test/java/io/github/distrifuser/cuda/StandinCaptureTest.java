package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaDeviceSynchronize;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaFree;
import static org.bytedeco.cuda.global.cudart.cudaGraphDestroy;
import static org.bytedeco.cuda.global.cudart.cudaHostAlloc;
import static org.bytedeco.cuda.global.cudart.cudaMalloc;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyAsync;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyHostToDevice;
import static org.bytedeco.cuda.global.cudart.cudaMemsetAsync;
import static org.bytedeco.cuda.global.cudart.cudaStreamBeginCapture;
import static org.bytedeco.cuda.global.cudart.cudaStreamCaptureModeThreadLocal;
import static org.bytedeco.cuda.global.cudart.cudaStreamEndCapture;
import static org.bytedeco.cuda.global.cudart.cudaStreamIsCapturing;
import static org.bytedeco.cuda.global.cudart.cudaStreamSynchronize;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntSupplier;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.javacpp.BytePointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The stand-ins capture streams by CUDA's rules, and notice what breaks them. */
@Tag("cuda-standin")
class StandinCaptureTest {
  private static final int UNSUPPORTED = 900;
  private static final int INVALIDATED = 901;
  private static final int MERGE = 902;
  private static final int UNMATCHED = 903;
  private static final int UNJOINED = 904;
  private static final int ISOLATION = 905;
  private static final int IMPLICIT = 906;
  private static final int CAPTURED_EVENT = 907;
  private static final int WRONG_THREAD = 908;

  private CudaBackend backend;
  private CudaContext context;
  private CudaStream stream;
  private Tensor x;
  private Tensor y;

  @BeforeEach
  void open() {
    Standin.load();
    Standin.reset();
    assertEquals("", Standin.leaks(), "of tests before");
    backend = CudaBackend.open(new BackendOptions(DType.F32, 0, 0));
    context = backend.context();
    stream = context.compute();
    x = backend.allocate(1, 100);
    y = backend.allocate(1, 100);
    backend.fill(x, 3);
    backend.fill(y, 5);
    backend.scale(x, 1, x); // so that the kernel is loaded
    backend.synchronize();
  }

  @AfterEach
  void close() {
    backend.close();
    assertEquals("", Standin.reports());
    assertEquals("", Standin.leaks());
    Standin.reset();
  }

  private void begin(CudaStream s) {
    assertEquals(0, cudaStreamBeginCapture(s.handle(), cudaStreamCaptureModeThreadLocal));
  }

  private static int end(CudaStream s) {
    CUgraph_st graph = new CUgraph_st();
    int status = cudaStreamEndCapture(s.handle(), graph);
    if (status == 0) {
      cudaGraphDestroy(graph);
    }
    assertEquals(status != 0, graph.isNull());
    return status;
  }

  private static int state(CudaStream s) {
    int[] status = {-1};
    assertEquals(0, cudaStreamIsCapturing(s.handle(), status));
    return status[0];
  }

  /** Something that may not be called: its status, and the capture is lost. */
  private void forbidden(int status, IntSupplier call) {
    begin(stream);
    backend.scale(x, 2, y);
    assertEquals(1, state(stream));
    assertEquals(status, call.getAsInt());
    assertEquals(2, state(stream));
    assertThrows(CudaException.class, () -> backend.scale(x, 2, y), "goes on in a lost capture");
    assertEquals(INVALIDATED, end(stream));
    assertEquals(0, state(stream));
    assertEquals(5, backend.toFloats(y)[0], "nothing has run");
  }

  @Test
  void nothingRunsUntilAGraphIsLaunchedAndThenEachTime() {
    try (CudaGraph graph = CudaGraph.capture(stream, () -> backend.scale(x, 2, x))) {
      assertEquals(3, backend.toFloats(x)[99]);
      long kernels = Standin.kernels();
      graph.launch(stream);
      graph.launch(stream);
      assertEquals(12, backend.toFloats(x)[99]);
      assertEquals(kernels, Standin.kernels(), "the host asks for graphs alone");
      assertEquals(2, Standin.graphLaunches());
    }
  }

  @Test
  void argumentsAreThoseOfTheCapture() {
    CudaGraph graph = CudaGraph.capture(stream, () -> backend.scale(x, 7, y));
    backend.scale(y, 1, y); // writes the same slots of arguments
    try (graph) {
      graph.launch(stream);
      assertEquals(21, backend.toFloats(y)[0]);
    }
  }

  @Test
  void streamsThatWaitAreCapturedToo() {
    try (CudaEvent fork = new CudaEvent();
        CudaEvent join = new CudaEvent();
        CudaStream other = new CudaStream();
        Tensor z = backend.allocate(1, 100);
        CudaGraph graph =
            CudaGraph.capture(
                stream,
                () -> {
                  backend.scale(x, 2, y);
                  fork.record(stream);
                  other.await(fork);
                  assertEquals(1, state(other));
                  other.copy(y.address(), z.address(), 400);
                  backend.scale(x, 10, x); // beside the copy
                  join.record(other);
                  stream.await(join);
                  backend.addScaled(x, z, 1, x);
                })) {
      assertEquals(0, state(other));
      for (int seed = 0; seed < 20; seed++) {
        Standin.seed(seed);
        backend.fill(x, 3);
        graph.launch(stream);
        assertEquals(36, backend.toFloats(x)[50]);
      }
    }
  }

  @Test
  void aMissingJoinInsideAGraphGivesWrongNumbers() {
    int wrong = 0;
    try (CudaEvent fork = new CudaEvent();
        CudaEvent join = new CudaEvent();
        CudaStream other = new CudaStream();
        CudaGraph graph =
            CudaGraph.capture(
                stream,
                () -> {
                  fork.record(stream);
                  other.await(fork); // before y is written: too early
                  backend.scale(x, 2, y);
                  other.copy(y.address(), x.address(), 400);
                  join.record(other);
                  stream.await(join);
                })) {
      for (int seed = 0; seed < 30; seed++) {
        Standin.seed(seed);
        backend.fill(x, 3);
        backend.fill(y, 5);
        graph.launch(stream);
        wrong += backend.toFloats(x)[0] == 6 ? 0 : 1;
      }
    }
    assertTrue(wrong > 3, "of 30 schedules, " + wrong + " showed it");
  }

  @Test
  void whatWaitsForTheHostIsForbidden() {
    forbidden(UNSUPPORTED, () -> cudaStreamSynchronize(stream.handle()));
    forbidden(UNSUPPORTED, () -> cudaStreamSynchronize(context.upload().handle()));
    forbidden(UNSUPPORTED, () -> cudaDeviceSynchronize());
    try (CudaEvent event = new CudaEvent()) {
      event.record(context.upload());
      forbidden(UNSUPPORTED, () -> org.bytedeco.cuda.global.cudart.cudaEventQuery(event.handle()));
      forbidden(
          UNSUPPORTED, () -> org.bytedeco.cuda.global.cudart.cudaEventSynchronize(event.handle()));
    }
  }

  @Test
  void whatChangesMemoryIsForbidden() {
    forbidden(UNSUPPORTED, () -> cudaMalloc(new Address(), 100));
    forbidden(UNSUPPORTED, () -> cudaFree(new Address()));
    forbidden(UNSUPPORTED, () -> cudaHostAlloc(new Address(), 100, 0));
    try (BytePointer pageable = new BytePointer(400)) {
      forbidden(
          UNSUPPORTED,
          () ->
              cudaMemcpyAsync(
                  Address.at(y.address()), pageable, 400, cudaMemcpyHostToDevice, stream.handle()));
    }
  }

  @Test
  void theDefaultStreamIsForbidden() {
    forbidden(IMPLICIT, () -> cudaMemsetAsync(Address.at(y.address()), 0, 400, null));
    assertTrue(Standin.reports().contains("the default stream is used"));
  }

  @Test
  void aModuleCannotBeLoaded() {
    try (Tensor map = backend.allocate(1, 2, 2, 8);
        Tensor moments = backend.allocate(1, 4, 2)) {
      context.memory().allocate(256, "a test").close(); // which the operator will find
      begin(stream);
      assertThrows(RuntimeException.class, () -> backend.groupMoments(map, 4, moments));
      assertEquals(INVALIDATED, end(stream));
    }
  }

  @Test
  void otherThreadsMayGoOnAndMayBeAskedToByThisOne() {
    begin(stream);
    int elsewhere =
        CompletableFuture.supplyAsync(() -> cudaStreamSynchronize(context.upload().handle()))
            .join();
    assertEquals(0, elsewhere, "captures are the thread's own");
    CudaGraph.outside(context.upload()::synchronize);
    assertEquals(1, state(stream));
    assertEquals(0, end(stream));
  }

  @Test
  void anotherThreadCannotEndACapture() {
    begin(stream);
    assertEquals(WRONG_THREAD, CompletableFuture.supplyAsync(() -> end(stream)).join());
    assertEquals(INVALIDATED, end(stream));
  }

  @Test
  void streamsMustBeJoined() {
    try (CudaEvent fork = new CudaEvent();
        CudaStream other = new CudaStream()) {
      begin(stream);
      fork.record(stream);
      other.await(fork);
      other.copy(x.address(), y.address(), 400);
      assertEquals(UNMATCHED, cudaStreamEndCapture(other.handle(), new CUgraph_st()));
      assertEquals(INVALIDATED, end(stream));
      begin(stream);
      fork.record(stream);
      other.await(fork);
      other.copy(x.address(), y.address(), 400);
      assertEquals(UNJOINED, end(stream));
      assertEquals(0, state(other));
    }
  }

  @Test
  void eventsDontCrossTheBorder() {
    try (CudaEvent before = new CudaEvent();
        CudaEvent within = new CudaEvent();
        CudaStream other = new CudaStream()) {
      before.record(other);
      begin(stream);
      assertThrows(CudaException.class, () -> stream.await(before), "" + ISOLATION);
      assertEquals(INVALIDATED, end(stream));

      begin(stream);
      within.record(stream);
      CudaGraph.outside(
          () ->
              assertEquals(
                  CAPTURED_EVENT, org.bytedeco.cuda.global.cudart.cudaEventQuery(within.handle())));
      end(stream);
      assertThrows(CudaException.class, () -> other.await(within));
      assertEquals(0, cudaEventRecord(within.handle(), other.handle()));
      other.await(within);
    }
  }

  @Test
  void twoCapturesDontMerge() {
    try (CudaEvent event = new CudaEvent();
        CudaStream other = new CudaStream()) {
      begin(stream);
      begin(other);
      event.record(other);
      assertEquals(
          MERGE,
          org.bytedeco.cuda.global.cudart.cudaStreamWaitEvent(stream.handle(), event.handle(), 0));
      assertEquals(INVALIDATED, end(stream));
      assertEquals(INVALIDATED, end(other));
    }
  }

  @Test
  void memoryThatIsFreedBeforeALaunchIsReported() {
    long block = context.memory().borrow(400, stream, "a test");
    CudaGraph graph = CudaGraph.capture(stream, () -> stream.copy(x.address(), block, 400));
    context.memory().giveBack(block, stream);
    try (graph) {
      graph.launch(stream);
      assertThrows(CudaException.class, backend::synchronize);
    }
    String reports = Standin.reports();
    assertTrue(reports.contains("cudaMemcpyAsync touches memory that was freed"), reports);
    Standin.reset();
  }

  @Test
  void graphsThatStayAreListed() {
    CudaGraph graph = CudaGraph.capture(stream, () -> backend.scale(x, 2, y));
    assertTrue(Standin.leaks().contains("1 executable graphs"));
    graph.close();
  }

  @Test
  void anOrderedFaultLosesTheCapture() {
    Standin.refuseCapture(2);
    assertThrows(
        CudaException.class,
        () ->
            CudaGraph.capture(
                stream,
                () -> {
                  backend.scale(x, 2, y);
                  backend.scale(x, 2, y);
                }));
    assertArrayEquals(new int[] {0}, new int[] {state(stream)});
    backend.scale(x, 2, y);
    assertEquals(6, backend.toFloats(y)[0]);
  }
}
