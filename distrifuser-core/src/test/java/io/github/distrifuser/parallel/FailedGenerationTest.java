package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A generation that fails anywhere leaves no tensors, and the next one is none the worse. */
class FailedGenerationTest {
  private static final UNetConfig UNET = Fixtures.unet(Map.of());

  private final WeightStore weights = Fixtures.store();
  private final DenoiserInputs in = Fixtures.inputs(2, 8, 8, true);

  private Denoiser denoiser(Backend b, Communicator world, Parallelism p, SyncMode mode) {
    DistriConfig c =
        DistriConfig.builder()
            .mode(mode)
            .warmupSteps(0)
            .splitBatch(false)
            .commCheckpoint(7)
            .build();
    return p == Parallelism.TENSOR
        ? new TensorParallelDenoiser(UNET, b, weights, world, c)
        : new PatchDenoiser(UNET, b, weights, world, c);
  }

  private NdArray twoSteps(Denoiser d) {
    d.begin(in);
    d.predict(Fixtures.normal(1, 2, 4, 8, 8), 900);
    return d.predict(Fixtures.normal(2, 2, 4, 8, 8), 800);
  }

  @ParameterizedTest
  @CsvSource({"PATCH, FULL_SYNC", "PATCH, STALE_GN", "TENSOR, FULL_SYNC"})
  void everyOperationMayFail(Parallelism p, SyncMode mode) {
    List<Integer> posts =
        Ranks.run(
            2,
            world -> {
              AtomicInteger count = new AtomicInteger();
              AtomicInteger failAt = new AtomicInteger(-1);
              Communicator watched =
                  WatchedCommunicator.of(
                      world,
                      op -> {
                        if (count.getAndIncrement() == failAt.get()) {
                          throw new CommException(0, "as the test wants it");
                        }
                      });
              try (Backend b = Fixtures.backend()) {
                Denoiser d = denoiser(b, watched, p, mode);
                NdArray expected = twoSteps(d);
                int all = count.get();
                for (int i = 0; i < all; i += 1 + i / 10) {
                  d.end();
                  count.set(0);
                  failAt.set(i);
                  assertThrows(CommException.class, () -> twoSteps(d));
                  failAt.set(-1);
                  d.end();
                  assertEquals(0, b.memory().liveTensors(), "failed at operation " + i);
                  world.barrier();
                }
                assertEquals(expected, twoSteps(d));
                return all;
              }
            });
    assertTrue(posts.get(0) > 20, posts.toString());
  }
}
