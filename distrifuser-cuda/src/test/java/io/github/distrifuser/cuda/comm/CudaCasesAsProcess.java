package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.pipelines.CasesAsProcess;
import java.io.IOException;

/**
 * One rank, as a process with stand-ins of its own, of all cases that have as many ranks; each kind
 * of messages twice, in different orders of the device's work.
 */
final class CudaCasesAsProcess {
  private CudaCasesAsProcess() {}

  public static void main(String[] args) throws IOException {
    Standin.load();
    Standin.devices(4);
    Standin.quickAttention();
    long rank = Long.parseLong(System.getenv("RANK"));
    CasesAsProcess.run(
        "cuda",
        new CasesAsProcess.Plan() {
          @Override
          public boolean runTwice(String name) {
            return name.contains("corrected") || name.contains("tensor");
          }

          @Override
          public boolean runThreads(String name) {
            return name.startsWith("distributed/patch_corrected") && name.endsWith("w2_split");
          }

          @Override
          public void beforeRun(int number) {
            Standin.seed(1000 * number + rank);
          }
        });
    String wrong = Standin.reports() + Standin.leaks();
    if (!wrong.isEmpty()) {
      throw new IllegalStateException(wrong);
    }
  }
}
