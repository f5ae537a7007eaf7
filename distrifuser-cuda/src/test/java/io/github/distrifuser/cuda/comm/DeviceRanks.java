package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankThreads;
import io.github.distrifuser.comm.local.LocalCommunicators;
import io.github.distrifuser.cuda.CudaBackendProvider;
import io.github.distrifuser.tensor.DType;

/** Ranks that are threads, with a backend each. */
final class DeviceRanks {
  private DeviceRanks() {}

  /** What a test does on each rank. */
  interface Program {
    void run(Backend backend, Communicator world) throws Exception;
  }

  /**
   * Runs a program on all ranks and closes everything.
   *
   * @param devices rank r is on device {@code r % devices}
   */
  static void run(int ranks, int devices, DType dtype, Program program) {
    runUnconnected(
        ranks,
        devices,
        dtype,
        (backend, host) -> {
          try (Communicator link = backend.communicator(host)) {
            try {
              program.run(backend, link);
            } catch (Throwable t) {
              link.abort("the test failed: " + t);
              throw t;
            }
          }
        });
  }

  /** The same with the hosts' communicator. */
  static void runUnconnected(int ranks, int devices, DType dtype, Program program) {
    try (LocalCommunicators world = LocalCommunicators.create(ranks)) {
      RankThreads.run(
          world.ranks(),
          host -> {
            int device = host.rank() % devices;
            try (Backend backend =
                new CudaBackendProvider().create(new BackendOptions(dtype, 0, device))) {
              program.run(backend, host);
            }
          });
    }
  }
}
