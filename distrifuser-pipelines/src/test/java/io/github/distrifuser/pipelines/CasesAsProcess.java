package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.tcp.TcpCommunicators;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;

/**
 * One rank, as a process, of all the cases of several ranks that have as many as there are: {@code
 * DEVICE}. Prints a line for each case that is what the original computes, and for the default mode
 * twice the same bits and the same as with threads for ranks; else it ends with a stack trace.
 */
public final class CasesAsProcess {
  /** What it prints before the name of a case that is well. */
  public static final String PASSED = "passed ";

  private CasesAsProcess() {}

  /** How a backend's cases are run. */
  public interface Plan {
    /** Whether a case is run a second time, which must give the same bits. */
    default boolean runTwice(String name) {
      return name.contains("corrected");
    }

    /** Whether a case is also run with threads for ranks, which must give the same bits. */
    default boolean runThreads(String name) {
      return name.contains("corrected");
    }

    /** Called before each run of a case. */
    default void beforeRun(int number) {}
  }

  public static void main(String[] args) throws IOException {
    run(args[0], new Plan() {});
  }

  /** Runs the cases on a device. */
  public static void run(String device, Plan plan) throws IOException {
    RankEnvironment env = RankEnvironment.of(System.getenv());
    try (Communicator world = TcpCommunicators.connect(env, Map.of(), Duration.ofSeconds(60))) {
      for (String name : PipelineCase.names("distributed")) {
        PipelineCase c = PipelineCase.load(name);
        if (c.spec().get("world_size").asInt() == world.size()) {
          check(name, c, world, device, plan);
          System.out.println(PASSED + name);
        }
      }
    }
  }

  private static void check(
      String name, PipelineCase c, Communicator world, String device, Plan plan) {
    LoadOptions.Builder options = c.options().device(device).dtype(DType.F32).threads(1);
    NdArray first;
    try (DistriPipeline p =
        c.pipeline(DistributedCasesSuite.config(c.spec()), options.communicator(world).build())) {
      assertEquals(world.size(), p.worldSize());
      plan.beforeRun(0);
      first = DistributedCasesSuite.run(c, p);
      if (plan.runTwice(name)) {
        plan.beforeRun(1);
        float[] again = DistributedCasesSuite.run(c, p).data();
        assertArrayEquals(first.data(), again, "another run gives other bits");
      }
    }
    if (plan.runThreads(name) && world.rank() == 0) {
      options = c.options().device(device).dtype(DType.F32).threads(1).localRanks(world.size());
      try (DistriPipeline p = c.pipeline(DistributedCasesSuite.config(c.spec()), options.build())) {
        assertArrayEquals(
            first.data(), DistributedCasesSuite.run(c, p).data(), "threads give other bits");
      }
    }
  }
}
