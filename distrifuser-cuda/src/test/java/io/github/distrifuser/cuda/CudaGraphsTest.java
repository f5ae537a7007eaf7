package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.CaptureException;
import io.github.distrifuser.backend.StepGraph;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.unet.UNetDenoiser;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Denoising steps as graphs, on one rank. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaGraphsTest {
  private static final long MEGABYTE = 1L << 20;

  /** SDXL's conditioning and a guidance embedding, so that everything that may change is there. */
  private static final UNetConfig UNET =
      Fixtures.unet(
          Map.of(
              "addition_embed_type",
              "text_time",
              "addition_time_embed_dim",
              4,
              "projection_class_embeddings_input_dim",
              30,
              "time_cond_proj_dim",
              8));

  private final WeightStore weights = Fixtures.store();

  @BeforeEach
  void quickAttention() {
    Standin.quickAttention();
  }

  @AfterEach
  void freeWeights() {
    weights.close();
  }

  private static Backend open(DType dtype) {
    return new CudaBackendProvider().create(new BackendOptions(dtype, 0, 0));
  }

  private UNetDenoiser denoiser(Backend b, boolean captures) {
    return new UNetDenoiser(UNET, new Layers(b, weights), captures);
  }

  private static DenoiserInputs inputs(int seed, int batch, int height, int width) {
    return new DenoiserInputs(
        batch,
        height,
        width,
        batch % 2 == 0,
        Fixtures.normal(seed, batch, 5, 6),
        Fixtures.normal(seed + 1, batch, 6),
        Fixtures.normal(seed + 2, batch, 6),
        Fixtures.normal(seed + 3, batch, 8));
  }

  /** Steps whose samples and times differ. */
  private static List<NdArray> generation(UNetDenoiser d, DenoiserInputs in, int steps) {
    d.begin(in);
    List<NdArray> all = new ArrayList<>();
    for (int i = 0; i < steps; i++) {
      all.add(step(d, in, i));
    }
    d.end();
    return all;
  }

  private static NdArray step(UNetDenoiser d, DenoiserInputs in, int i) {
    NdArray sample = Fixtures.normal(70 + i, in.batch(), 4, in.height(), in.width());
    return d.predict(sample, 900 - 77 * i);
  }

  private List<NdArray> eager(DType dtype, DenoiserInputs in, int steps) {
    long launches = Standin.graphLaunches();
    try (Backend b = open(dtype);
        UNetDenoiser d = denoiser(b, false)) {
      List<NdArray> all = generation(d, in, steps);
      assertEquals(launches, Standin.graphLaunches());
      return all;
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16"})
  void graphsGiveTheSameBitsInAllShapesPromptsAndSteps(DType dtype) {
    try (Backend b = open(dtype)) {
      UNetDenoiser d = denoiser(b, true);
      int seed = 0;
      for (int round = 0; round < 2; round++) {
        for (int[] shape : new int[][] {{2, 8, 8}, {1, 8, 12}, {2, 12, 8}}) {
          DenoiserInputs in = inputs(seed += 10, shape[0], shape[1], shape[2]);
          List<NdArray> expected = eager(dtype, in, 4);
          long launches = Standin.graphLaunches();
          long kernels = Standin.kernels();
          assertEquals(expected, generation(d, in, 4));
          assertEquals(round == 0 ? 3 : 4, Standin.graphLaunches() - launches, "graphs that ran");
          if (round == 1) {
            kernels = Standin.kernels() - kernels;
            assertTrue(kernels < 60, "kernels that the host called in a whole generation");
          }
        }
      }
      assertTrue(b.memory().graphBytes() > 0);
      d.close();
      assertEquals(0, b.memory().graphBytes());
      assertEquals(0, b.memory().liveTensors());
    }
  }

  @Test
  void otherEmbeddingsTakeEffectAtOnce() {
    DenoiserInputs in = inputs(1, 2, 8, 8);
    DenoiserInputs changed = inputs(5, 2, 8, 8);
    List<List<NdArray>> runs = new ArrayList<>();
    for (boolean captures : new boolean[] {false, true}) {
      try (Backend b = open(DType.F32);
          UNetDenoiser d = denoiser(b, captures)) {
        d.begin(in);
        List<NdArray> all = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
          if (i == 4) {
            d.replaceEmbeddings(changed);
          }
          all.add(step(d, in, i));
        }
        runs.add(all);
      }
    }
    assertEquals(5, Standin.graphLaunches());
    assertEquals(runs.get(0), runs.get(1));
    assertNotEquals(eager(DType.F32, in, 6).get(5), runs.get(1).get(5));
  }

  @Test
  void whatHappensBetweenStepsDisturbsNoGraph() {
    DenoiserInputs in = inputs(1, 2, 8, 8);
    List<NdArray> expected = eager(DType.F32, in, 6);
    try (Backend b = open(DType.F32);
        UNetDenoiser d = denoiser(b, true)) {
      d.begin(in);
      List<Tensor> others = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        assertEquals(expected.get(i), step(d, in, i));
        for (int n = 64; n <= 1 << 15; n *= 2) { // of all sizes that a step uses, and kept
          Tensor t = b.allocate(n / 4);
          b.fill(t, Float.NaN);
          others.add(t);
        }
        if (i == 3) {
          b.trim();
        }
      }
      others.forEach(Tensor::close);
    }
  }

  @Test
  void shapesBeyondTheLastFewLoseTheirGraphs() {
    try (Backend b = open(DType.F32);
        UNetDenoiser d = denoiser(b, true)) {
      for (int width = 8; width <= 32; width += 4) {
        generation(d, inputs(width, 1, 8, width), 3);
      }
      assertTrue(Standin.leaks().contains("\n4 executable graphs\n"), Standin.leaks());
      long launches = Standin.graphLaunches();
      generation(d, inputs(3, 1, 8, 32), 3);
      assertEquals(3, Standin.graphLaunches() - launches, "the last is there still");
      generation(d, inputs(3, 1, 8, 8), 3);
      assertEquals(5, Standin.graphLaunches() - launches, "the first is captured anew");
    }
  }

  @Test
  void aBackendThatIsClosedFreesGraphs() {
    Backend b = open(DType.F32);
    UNetDenoiser d = denoiser(b, true);
    generation(d, inputs(1, 1, 8, 8), 3);
    assertTrue(Standin.leaks().contains("executable graphs"));
    b.close();
    assertFalse(Standin.leaks().contains("executable graphs"), Standin.leaks());
    d.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 17, 100})
  void aCaptureThatFailsLeavesTheStepToTheHost(int operation) {
    DenoiserInputs in = inputs(1, 2, 8, 8);
    List<NdArray> expected = eager(DType.F32, in, 5);
    try (Backend b = open(DType.F32);
        UNetDenoiser d = denoiser(b, true)) {
      d.begin(in);
      assertEquals(expected.get(0), step(d, in, 0));
      Standin.refuseCapture(operation);
      assertEquals(expected.get(1), step(d, in, 1));
      assertEquals(0, Standin.graphLaunches());
      assertEquals(0, b.memory().graphBytes());
      assertEquals(expected.get(2), step(d, in, 2));
      assertEquals(1, Standin.graphLaunches(), "a second try");
      assertEquals(expected.get(3), step(d, in, 3));
    }
  }

  @Test
  void aSecondFailureIsTheLast() {
    DenoiserInputs in = inputs(1, 1, 8, 8);
    List<NdArray> expected = eager(DType.F32, in, 5);
    try (Backend b = open(DType.F32);
        UNetDenoiser d = denoiser(b, true)) {
      d.begin(in);
      for (int i = 0; i < 5; i++) {
        Standin.refuseCapture(3);
        long captured = Standin.captured();
        assertEquals(expected.get(i), step(d, in, i));
        assertEquals(i == 1 || i == 2 ? 2 : 0, Standin.captured() - captured, "step " + i);
      }
      Standin.refuseCapture(0);
      assertEquals(0, Standin.graphLaunches());
    }
  }

  /** The second step under a shortage that begins with one of its allocations. */
  @Test
  void aShortageOfMemoryInACaptureLeavesTheStepToTheHostOrIsSaid() {
    DenoiserInputs in = inputs(1, 2, 8, 8);
    List<NdArray> expected = eager(DType.F32, in, 3);
    int withoutGraph = 0;
    boolean captured = false;
    for (int allocation = 1; !captured; allocation++) {
      long before = Standin.graphLaunches();
      try (Backend b = open(DType.F32);
          UNetDenoiser d = denoiser(b, true)) {
        d.begin(in);
        assertEquals(expected.get(0), step(d, in, 0));
        Standin.failAllocation(allocation);
        try {
          assertEquals(expected.get(1), step(d, in, 1));
          captured = Standin.graphLaunches() > before;
          withoutGraph += captured ? 0 : 1;
        } catch (CudaOutOfMemoryException e) {
          assertTrue(String.valueOf(e.getMessage()).contains("out of memory on cuda:0"));
        }
        Standin.failAllocation(0);
        assertEquals(expected.get(2), step(d, in, 2));
      }
    }
    assertTrue(withoutGraph > 0, "the graph itself takes memory, too");
  }

  /** A capture allocates where the step that ran before left nothing: beside the capture. */
  @Test
  void aCaptureMayAllocate() {
    DenoiserInputs in = inputs(1, 2, 8, 8);
    List<NdArray> expected = eager(DType.F32, in, 3);
    try (Backend b = open(DType.F32);
        UNetDenoiser d = denoiser(b, true)) {
      d.begin(in);
      for (int i = 0; i < 3; i++) {
        b.trim();
        assertEquals(expected.get(i), step(d, in, i));
      }
      assertEquals(2, Standin.graphLaunches());
    }
  }

  @Test
  void idleGraphsAreGivenUpBeforeMemoryIsShort() {
    DenoiserInputs in = inputs(1, 2, 16, 16);
    List<NdArray> expected = eager(DType.F32, in, 3);
    try (Backend b = open(DType.F32);
        UNetDenoiser d = denoiser(b, true)) {
      assertEquals(expected, generation(d, in, 3));
      long graphs = b.memory().graphBytes();
      b.trim();
      long room = 64 * MEGABYTE;
      Standin.leaveFree(room);
      try (Tensor big = b.allocate((room + graphs / 2) / 4)) {
        assertEquals(0, b.memory().graphBytes(), "of " + graphs);
        b.fill(big, Float.NaN);
      }
      assertEquals(expected, generation(d, in, 3), "captured anew");

      d.begin(in);
      assertEquals(expected.get(0), step(d, in, 0));
      b.trim();
      Standin.leaveFree(room);
      assertThrows(
          CudaOutOfMemoryException.class, () -> b.allocate((room + graphs / 2) / 4), "in use");
      assertEquals(expected.get(1), step(d, in, 1));
    }
  }

  @Test
  void whatAStepMayNotDoIsNamed() {
    try (Backend b = open(DType.F32);
        Tensor t = b.allocate(4)) {
      b.fill(t, 1);
      b.scale(t, 1, t);
      CaptureException e =
          assertThrows(
              CaptureException.class,
              () ->
                  b.capture(
                      () -> {
                        b.fill(t, 2);
                        b.toFloats(t);
                        return b.allocate(1);
                      }));
      assertEquals("cuda:0 cannot capture it: read within a step that is captured", e.getMessage());
      assertEquals(1, b.toFloats(t)[0], "nothing has run");
      assertThrows(
          CaptureException.class, () -> b.capture(() -> b.capture(() -> b.allocate(1)).replay()));
      StepGraph g =
          b.capture(
              () -> {
                Tensor y = b.allocate(4);
                b.scale(t, 3, y);
                return y;
              });
      assertEquals(3, b.toFloats(g.replay())[3]);
      g.close();
      assertThrows(IllegalStateException.class, g::replay);
    }
  }
}
