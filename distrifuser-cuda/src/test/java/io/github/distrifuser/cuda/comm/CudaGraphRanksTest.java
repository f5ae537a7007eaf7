package io.github.distrifuser.cuda.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Denoising steps as graphs on ranks with a device each, with NCCL's work in them. */
@Tag("cuda-ranks-standin")
@ExtendWith(StandinExtension.class)
class CudaGraphRanksTest {
  private static final UNetConfig UNET = Fixtures.unet(Map.of());
  private static final int STEPS = 5;
  private static final int WARMUP = 1;

  @BeforeEach
  void devices() {
    Standin.devices(4);
    Standin.quickAttention();
  }

  private static DistriConfig.Builder config(Parallelism p, SyncMode mode) {
    return DistriConfig.builder()
        .parallelism(p)
        .mode(mode)
        .warmupSteps(WARMUP)
        .splitBatch(false)
        .commCheckpoint(5);
  }

  private static DenoiserInputs inputs(int seed) {
    return new DenoiserInputs(2, 16, 8, true, Fixtures.normal(seed, 2, 5, 6), null, null, null);
  }

  private static NdArray sample(int i) {
    return Fixtures.normal(70 + i, 2, 4, 16, 8);
  }

  private interface Program {
    void run(Denoiser denoiser, Communicator world);
  }

  private static void ranks(int n, int devices, DistriConfig config, Program program) {
    DeviceRanks.run(
        n,
        devices,
        DType.F32,
        (Backend b, Communicator world) -> {
          try (WeightStore weights = Fixtures.store();
              Denoiser d = Denoisers.of(UNET, b, weights, world, config)) {
            program.run(d, world);
          }
        });
  }

  /** Two generations on each rank. */
  private static Map<Integer, List<NdArray>> generations(int n, int devices, DistriConfig config) {
    Map<Integer, List<NdArray>> all = new ConcurrentHashMap<>();
    ranks(
        n,
        devices,
        config,
        (d, world) -> {
          List<NdArray> mine = new ArrayList<>();
          for (int seed : new int[] {1, 2}) {
            d.begin(inputs(seed));
            for (int i = 0; i < STEPS; i++) {
              mine.add(d.predict(sample(i), 900 - 77 * i));
            }
            d.end();
          }
          all.put(world.rank(), mine);
        });
    return new TreeMap<>(all);
  }

  /** Kinds of steps: synchronous, first asynchronous, asynchronous; tensor parallelism has one. */
  @ParameterizedTest
  @CsvSource({
    "PATCH, CORRECTED_ASYNC_GN, 2, 3",
    "PATCH, CORRECTED_ASYNC_GN, 4, 3",
    "PATCH, SYNC_GN, 3, 3",
    "PATCH, NO_SYNC, 2, 3",
    "TENSOR, FULL_SYNC, 2, 1",
    "NAIVE_PATCH, FULL_SYNC, 2, 1"
  })
  void graphsGiveTheSameBits(Parallelism p, SyncMode mode, int n, int kinds) {
    DistriConfig.Builder c = config(p, mode);
    Map<Integer, List<NdArray>> eager = generations(n, n, c.useCudaGraph(false).build());
    assertEquals(0, Standin.graphLaunches());
    assertEquals(eager, generations(n, n, c.useCudaGraph(true).build()));
    assertEquals((2L * STEPS - kinds) * n, Standin.graphLaunches());
  }

  /** Threads that share a device meet on the host, which no graph can repeat. */
  @Test
  void ranksOfOneDeviceRunWithoutGraphs() {
    DistriConfig c = config(Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN).build();
    assertEquals(2, generations(2, 1, c).size());
    assertEquals(0, Standin.graphLaunches());
  }

  @Test
  void aCaptureThatFailsOnOneRankLeavesTheStepToAllHosts() {
    DistriConfig.Builder c = config(Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN);
    Map<Integer, List<NdArray>> eager = generations(2, 2, c.useCudaGraph(false).build());
    for (int operation : new int[] {1, 300}) {
      long before = Standin.graphLaunches();
      Standin.refuseCapture(operation); // of whichever rank comes to it
      assertEquals(eager, generations(2, 2, c.useCudaGraph(true).build()));
      long launches = Standin.graphLaunches() - before;
      assertEquals(0, launches % 2, "both ranks or none");
      assertTrue(launches > 0 && launches < 2 * (2 * STEPS - 3), launches + " launches");
    }
  }

  // --- time ---

  /** Nanoseconds of an operation, about what SDXL's take on an A100 at 1024 pixels, four ranks. */
  private static final double OPERATION = 25e3;

  private static final double LATENCY = 10e3; // nanoseconds of a message of NCCL's

  /**
   * Bytes a second that make this model's messages take the share of a step that SDXL's have behind
   * NVLink: one in a hundred.
   */
  private static final double NVLINK = 2e9;

  private record Speed(double link, double latency, double call) {}

  /** Simulated nanoseconds of a step that repeats, at each of these speeds. */
  private static List<Long> steadySteps(DistriConfig config, List<Speed> speeds, Path trace) {
    List<Long> times = new ArrayList<>();
    ranks(
        2,
        2,
        config,
        (d, world) -> {
          d.begin(inputs(1));
          int i = 0;
          while (i < WARMUP + 5) {
            d.predict(sample(i), 900 - 77 * i);
            i++;
          }
          for (Speed s : speeds) {
            world.barrier();
            if (world.rank() == 0) {
              Standin.speeds(150e12, 1.5e12, s.link, s.latency, OPERATION, s.call);
              Standin.startClock();
            }
            world.barrier();
            d.predict(sample(i), 900 - 77 * i);
            i++;
            world.barrier();
            if (world.rank() == 0) {
              times.add(Standin.clock());
              Standin.trace(trace);
            }
          }
          world.barrier();
          d.end();
        });
    Standin.stopClock();
    return times;
  }

  @Test
  void theSteadyStepHidesItsCommunication() {
    DistriConfig.Builder c = config(Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN);
    Speed free = new Speed(1e18, 0, 0);
    Speed nvlink = new Speed(NVLINK, LATENCY, 0);
    Speed slow = new Speed(NVLINK / 2000, LATENCY, 0);
    List<Speed> speeds = List.of(free, nvlink, slow);
    for (boolean graphs : new boolean[] {false, true}) {
      Path trace = Path.of("target", "steady-step-" + (graphs ? "graph" : "eager") + ".json");
      List<Long> t = steadySteps(c.useCudaGraph(graphs).build(), speeds, trace);
      assertTrue(t.get(1) <= 1.03 * t.get(0), "free, NVLink, slow: " + t);
      assertTrue(t.get(2) > 1.1 * t.get(0), "a slow link cannot be hidden: " + t);
      DistriConfig sync =
          config(Parallelism.PATCH, SyncMode.FULL_SYNC).useCudaGraph(graphs).build();
      List<Long> s = steadySteps(sync, speeds, trace.resolveSibling("synchronous-step.json"));
      assertTrue(s.get(1) > 1.03 * s.get(0), "synchronous steps wait: " + s);
    }
  }

  @Test
  void aGraphTakesTheHostsCallsAway() {
    DistriConfig.Builder c = config(Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN);
    List<Speed> busyHost = List.of(new Speed(NVLINK, LATENCY, 2 * OPERATION));
    Path trace = Path.of("target", "busy-host.json");
    long eager = steadySteps(c.useCudaGraph(false).build(), busyHost, trace).get(0);
    long graph = steadySteps(c.useCudaGraph(true).build(), busyHost, trace).get(0);
    assertTrue(graph < 0.7 * eager, eager + " without graphs, " + graph + " with");
  }
}
