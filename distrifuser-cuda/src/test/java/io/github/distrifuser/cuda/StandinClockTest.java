package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The stand-ins' clock: when operations would begin and end on a device of given speeds. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class StandinClockTest {
  private static final long BYTES = 4000;
  private static final long COPY = 8000; // nanoseconds: reads and writes at a byte a nanosecond

  private CudaBackend backend;
  private CudaStream stream;
  private CudaStream other;
  private Tensor x;
  private Tensor y;

  @BeforeEach
  void open() {
    backend = CudaBackend.open(new BackendOptions(DType.F32, 0, 0));
    stream = backend.context().compute();
    other = backend.context().upload();
    x = backend.allocate(1, BYTES / 4);
    y = backend.allocate(1, BYTES / 4);
    backend.fill(x, 1);
    backend.fill(y, 1);
    backend.synchronize();
    Standin.speeds(1e9, 1e9, 1e9, 0, 0, 0);
    Standin.startClock();
  }

  @AfterEach
  void close() {
    Standin.stopClock();
    backend.close();
  }

  private void copy(CudaStream s) {
    s.copy(x.address(), y.address(), BYTES);
  }

  @Test
  void oneStreamsOperationsFollowEachOther() {
    copy(stream);
    copy(stream);
    backend.synchronize();
    assertEquals(2 * COPY, Standin.clock());
    assertEquals(2 * COPY, Standin.busy("cudaMemcpy"));
  }

  @Test
  void streamsRunBesideEachOtherUnlessTheyWait() {
    copy(stream);
    copy(other);
    backend.synchronize();
    assertEquals(COPY, Standin.clock());
    try (CudaEvent done = new CudaEvent()) {
      copy(stream);
      done.record(stream);
      other.await(done);
      copy(other);
      backend.synchronize();
    }
    assertEquals(3 * COPY, Standin.clock());
    List<Standin.Span> spans = Standin.spans();
    assertEquals(4, spans.size());
    assertEquals(2 * COPY, spans.get(3).start());
  }

  @Test
  void theHostIsWaitedFor() {
    Standin.speeds(1e9, 1e9, 1e9, 0, 0, 5 * COPY);
    copy(stream);
    copy(stream);
    backend.synchronize();
    assertEquals(11 * COPY, Standin.clock(), "the second copy is asked for after ten");
    copy(other); // the host has waited until now, and takes five more to ask
    backend.synchronize();
    assertEquals(17 * COPY, Standin.clock());
  }

  @Test
  void branchesOfAGraphRunBesideEachOther() {
    try (CudaEvent fork = new CudaEvent();
        CudaEvent join = new CudaEvent();
        CudaGraph graph =
            CudaGraph.capture(
                stream,
                () -> {
                  copy(stream);
                  fork.record(stream);
                  other.await(fork);
                  copy(other);
                  copy(other);
                  copy(stream);
                  join.record(other);
                  stream.await(join);
                  copy(stream);
                })) {
      graph.launch(stream);
      backend.synchronize();
    }
    assertEquals(4 * COPY, Standin.clock(), "one, two beside one, one");
    assertEquals(5 * COPY, Standin.busy(""));
  }

  @Test
  void anOperationTakesAtLeastItsOverhead() {
    Standin.speeds(1e9, 1e15, 1e9, 0, 100, 0);
    backend.scale(x, 2, y);
    backend.synchronize();
    assertEquals(100, Standin.clock(), "memory is fast");
  }

  @Test
  void aTraceNamesWhatRan(@TempDir Path folder) throws IOException {
    copy(stream);
    backend.scale(x, 2, y);
    backend.synchronize();
    Path file = folder.resolve("trace.json");
    Standin.trace(file);
    String text = Files.readString(file);
    assertTrue(text.startsWith("{\"traceEvents\":["), text);
    assertTrue(text.contains("\"name\":\"cudaMemcpyAsync\",\"ph\":\"X\""), text);
    assertTrue(text.contains("\"name\":\"scale_f32\""), text);
    assertTrue(text.contains("\"ts\":0.000,\"dur\":8.000"), text);
  }
}
