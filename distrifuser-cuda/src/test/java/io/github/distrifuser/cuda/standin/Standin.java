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

  /** The core library's functions; the sources in cpp/standin say what each does. */
  private interface Core extends Library {
    int standin_use_emulation(String path);

    void standin_signature(String kernel, String kinds);

    void standin_seed(long seed);

    void standin_reset();

    void standin_clear();

    void standin_quick(int on);

    String standin_reports();

    String standin_leaks();

    long standin_leave_free(long bytes);

    void standin_devices(int n);

    void standin_fail_allocation(NativeLong n);

    void standin_refuse_launch(NativeLong n);

    void standin_fail_launch(NativeLong n);

    void standin_refuse(int what);

    void standin_versions(int driver, int runtime, NativeLong cublas, NativeLong cudnn);

    void standin_nccl_version(int version);

    void standin_nccl(int rank, int kind, NativeLong n);

    NativeLong standin_count(int what);

    void standin_refuse_capture(NativeLong n);

    void standin_clock(int on);

    void standin_speeds(
        double flops, double memory, double link, double latency, double overhead, double call);

    long standin_clock_end();

    long standin_clock_busy(String prefix);

    String standin_spans();

    int standin_trace(String path);
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

  /** Forgets all memory and handles, too. */
  public static void clear() {
    Loaded.CORE.standin_clear();
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

  /**
   * Gives the device so much memory that this is free now.
   *
   * @return how much it has then
   */
  public static long leaveFree(long bytes) {
    return Loaded.CORE.standin_leave_free(bytes);
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

  /** The version that NCCL says it is. */
  public static void ncclVersion(int version) {
    Loaded.CORE.standin_nccl_version(version);
  }

  /** Lets the n-th operation that a rank of NCCL posts from now on fail. */
  public static void failCommunication(int rank, long n) {
    Loaded.CORE.standin_nccl(rank, 1, new NativeLong(n));
  }

  /** Lets the n-th operation that a rank of NCCL posts from now on never end. */
  public static void hangCommunication(int rank, long n) {
    Loaded.CORE.standin_nccl(rank, 2, new NativeLong(n));
  }

  /** Convolutions (0), attentions (1) and matrix products (2) that libraries were asked for. */
  public static long count(int what) {
    return Loaded.CORE.standin_count(what).longValue();
  }

  /** Launches of kernels that the driver was asked for, captured ones included. */
  public static long kernels() {
    return count(3);
  }

  /** Operations that were captured. */
  public static long captured() {
    return count(4);
  }

  /** Launches of graphs. */
  public static long graphLaunches() {
    return count(5);
  }

  /** Lets the n-th operation from now on that is captured be refused; 0 ends that. */
  public static void refuseCapture(long n) {
    Loaded.CORE.standin_refuse_capture(new NativeLong(n));
  }

  /** Sets the simulated clocks to 0 and keeps a list of what runs; clock.cpp says what counts. */
  public static void startClock() {
    Loaded.CORE.standin_clock(1);
  }

  /** Ends the list. */
  public static void stopClock() {
    Loaded.CORE.standin_clock(0);
  }

  /**
   * What the simulated device can do.
   *
   * @param flops operations a second
   * @param memory bytes of its memory a second
   * @param link bytes a second between devices
   * @param latency nanoseconds of a message
   * @param overhead nanoseconds of an operation
   * @param call nanoseconds that the host needs to ask for one
   */
  public static void speeds(
      double flops, double memory, double link, double latency, double overhead, double call) {
    Loaded.CORE.standin_speeds(flops, memory, link, latency, overhead, call);
  }

  /** When the last operation ended, in simulated nanoseconds. */
  public static long clock() {
    return Loaded.CORE.standin_clock_end();
  }

  /** Simulated nanoseconds of the operations whose names begin with a text. */
  public static long busy(String prefix) {
    return Loaded.CORE.standin_clock_busy(prefix);
  }

  /** Something that ran: times in simulated nanoseconds. */
  public record Span(int stream, String name, long start, long end) {}

  /** What has run since the clock was started, in the order in which it was simulated. */
  public static List<Span> spans() {
    return Loaded.CORE
        .standin_spans()
        .lines()
        .map(l -> l.split("\t"))
        .map(
            f -> new Span(Integer.parseInt(f[0]), f[1], Long.parseLong(f[2]), Long.parseLong(f[3])))
        .toList();
  }

  /** Writes that list as a Chrome trace. */
  public static void trace(Path file) {
    if (Loaded.CORE.standin_trace(file.toString()) != 0) {
      throw new IllegalStateException(file + " cannot be written");
    }
  }
}
