package io.github.distrifuser.cuda.standin;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import io.github.distrifuser.cuda.kernels.ArgumentKind;
import io.github.distrifuser.cuda.kernels.EmulatedKernels;
import io.github.distrifuser.cuda.kernels.Kernel;
import io.github.distrifuser.cuda.kernels.KernelLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The simulated device behind the stand-in libraries, as tests see it. */
public final class Standin {
  private Standin() {}

  /** What cuDNN is to refuse, to be added up. */
  public static final int RESIDUAL = 1;

  public static final int CHANNEL_BIAS = 2;
  public static final int CONVOLUTION = 4;
  public static final int ATTENTION = 8;
  public static final int BIAS = 16;

  /** The core library's functions; device.cpp says what each does. */
  private interface Core extends Library {
    int standin_use_emulation(String path);

    void standin_signature(String kernel, String kinds);

    void standin_seed(long seed);

    void standin_reset();

    void standin_quick(int on);

    String standin_reports();

    String standin_leaks();

    void standin_memory(long bytes);

    void standin_devices(int n);

    void standin_fail_allocation(NativeLong n);

    void standin_refuse_launch(NativeLong n);

    void standin_fail_launch(NativeLong n);

    void standin_refuse(int what);

    void standin_versions(int driver, int runtime, NativeLong cublas, NativeLong cudnn);

    NativeLong standin_count(int what);
  }

  private static final class Loaded {
    static final Core CORE = load();

    private static Core load() {
      StandinBuild.build();
      Core core =
          Native.load(StandinBuild.FOLDER.resolve(StandinBuild.CORE).toString(), Core.class);
      if (core.standin_use_emulation(EmulatedKernels.library().toString()) != 0) {
        throw new IllegalStateException(core.standin_reports());
      }
      for (Kernel k : KernelLibrary.kernels()) {
        core.standin_signature(k.name(), kinds(k));
      }
      return core;
    }
  }

  private static String kinds(Kernel k) {
    StringBuilder kinds = new StringBuilder();
    k.arguments()
        .forEach(a -> kinds.append(a.kind() == ArgumentKind.POINTER ? "p" : "" + a.kind().bytes()));
    return kinds.toString();
  }

  /**
   * Builds everything for processes that know nothing of stand-ins.
   *
   * @param signatures a file to be written, which such processes read
   * @return environment variables for them (environment.cpp says which others there are)
   */
  public static Map<String, String> build(Path signatures) throws IOException {
    StandinBuild.build();
    List<String> lines =
        KernelLibrary.kernels().stream().map(k -> k.name() + " " + kinds(k)).toList();
    Files.write(signatures, lines);
    return Map.of(
        "STANDIN_EMULATION", EmulatedKernels.library().toString(),
        "STANDIN_SIGNATURES", signatures.toString());
  }

  /** Where the libraries are once they are built. */
  public static Path folder() {
    return StandinBuild.FOLDER;
  }

  /** Builds and loads everything, once a process. */
  public static void load() {
    Loaded.CORE.standin_count(0);
  }

  /** The stand-in for the driver's library. */
  public static Path driver() {
    load();
    return StandinBuild.FOLDER.resolve("libcuda.so.1");
  }

  /** A driver's library that finds no device and does nothing. */
  public static Path driverWithoutDevice() {
    return StandinBuild.driverWithoutDevice();
  }

  /** Forgets errors and ordered faults. */
  public static void reset() {
    Loaded.CORE.standin_reset();
  }

  /** Computes attention kernels with vectors instead of emulating their threads, until reset. */
  public static void quickAttention() {
    Loaded.CORE.standin_quick(1);
  }

  /** Chooses the order in which streams run. */
  public static void seed(long seed) {
    Loaded.CORE.standin_seed(seed);
  }

  /** What callers did wrong since this was last asked; empty if nothing. */
  public static String reports() {
    return Loaded.CORE.standin_reports();
  }

  /** What has not been freed; empty if nothing. */
  public static String leaks() {
    return Loaded.CORE.standin_leaks();
  }

  /** Gives the device so much memory. */
  public static void memory(long bytes) {
    Loaded.CORE.standin_memory(bytes);
  }

  /** How many devices there are. */
  public static void devices(int n) {
    Loaded.CORE.standin_devices(n);
  }

  /**
   * Lets the n-th allocation of device memory from now on, and all after it, find none; 0 ends
   * that.
   */
  public static void failAllocation(long n) {
    Loaded.CORE.standin_fail_allocation(new NativeLong(n));
  }

  /** Lets the n-th launch of a kernel from now on be refused. */
  public static void refuseLaunch(long n) {
    Loaded.CORE.standin_refuse_launch(new NativeLong(n));
  }

  /** Lets the n-th launch of a kernel from now on fail when it runs. */
  public static void failLaunch(long n) {
    Loaded.CORE.standin_fail_launch(new NativeLong(n));
  }

  /** What cuDNN is to have no engine for. */
  public static void refuse(int what) {
    Loaded.CORE.standin_refuse(what);
  }

  /** Versions that the libraries say they are. */
  public static void versions(int driver, int runtime, long cublas, long cudnn) {
    Loaded.CORE.standin_versions(driver, runtime, new NativeLong(cublas), new NativeLong(cudnn));
  }

  /** Convolutions (0), attentions (1) and matrix products (2) that libraries were asked for. */
  public static long count(int what) {
    return Loaded.CORE.standin_count(what).longValue();
  }
}
