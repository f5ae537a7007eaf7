package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.tcp.TcpCommunicators;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.OutputType;
import io.github.distrifuser.pipelines.PipelineCase;
import java.time.Duration;
import java.util.Map;

/**
 * A rank, as a process, of a generation in which one goes wrong: {@code FAULT RANK}. Prints what it
 * ends with.
 */
final class FaultyRank {
  static final String READY = "ready for the fault";
  static final String ENDED = "ended: ";
  static final Duration TIMEOUT = Duration.ofSeconds(6);
  private static final int STEP = 2;

  private FaultyRank() {}

  public static void main(String[] args) throws InterruptedException {
    Standin.load();
    Standin.devices(args[0].equals("share") ? 1 : 4);
    Standin.quickAttention();
    RankEnvironment env = RankEnvironment.of(System.getenv());
    int culprit = Integer.parseInt(args[1]);
    PipelineCase c = PipelineCase.load("distributed/patch_corrected_async_gn_w4_split");
    DistriConfig config = DistriConfig.builder().height(64).width(64).warmupSteps(1).build();
    try (Communicator world = TcpCommunicators.connect(env, Map.of(), Duration.ofSeconds(60))) {
      LoadOptions options = c.options().device("cuda").threads(1).communicator(world).build();
      try (DistriPipeline p = c.pipeline(config, options)) {
        p.generate(
            c.request()
                .outputType(OutputType.LATENT)
                .callbackOnStepEnd(
                    s -> {
                      if (s.step() == STEP) {
                        p.communicator().setTimeout(TIMEOUT);
                        goWrong(args[0], env.rank() == culprit, culprit);
                      }
                    })
                .build());
        System.out.println(ENDED + "well");
      } catch (CommException | IllegalStateException e) {
        System.out.println(ENDED + e.getMessage());
      }
    }
  }

  private static void goWrong(String fault, boolean mine, int culprit) {
    if (!mine) {
      return;
    }
    System.out.println(READY);
    if (fault.equals("fail")) {
      Standin.failCommunication(culprit, 2); // of the world's: the gathering of the step after next
      return;
    }
    try {
      Thread.sleep(Long.MAX_VALUE); // until the test kills it
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
