package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.tensor.Tensor;
import java.util.Map;

/** A rank that sums and sums until something happens, which it prints. */
final class RankProcess {
  static final String READY = "ready";
  static final String FAILED = "failed: ";

  private RankProcess() {}

  public static void main(String[] args) throws InterruptedException {
    RankEnvironment env = RankEnvironment.of(System.getenv());
    try (Communicator world = TcpCommunicators.connect(env, Map.of(), TcpWorlds.START)) {
      Tensor t = TestTensors.zeros(100_000);
      world.progress("the first sum");
      for (int step = 0; ; step++) {
        world.allReduceSum(t).await();
        if (step == 3) {
          System.out.println(READY);
        }
        Thread.sleep(5);
      }
    } catch (CommException e) {
      System.out.println(FAILED + e.getMessage());
    }
  }
}
