package io.github.distrifuser.cpu;

import java.io.File;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.util.Map;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sets how many OpenMP threads oneDNN uses. OpenMP keeps that number for each calling thread, so
 * ranks that are threads of one JVM can have different ones.
 *
 * <p>The presets don't bind {@code omp_set_num_threads}. JavaCPP can call any native function of
 * one pointer-sized argument, for that is what a deallocator is; its class is package-private and
 * reached by reflection.
 */
final class OmpThreads {
  private static final Logger LOG = LoggerFactory.getLogger(OmpThreads.class);

  /** What this thread last asked for. */
  private static final ThreadLocal<int[]> CURRENT = ThreadLocal.withInitial(() -> new int[1]);

  private OmpThreads() {}

  private record Setter(Object caller, Method method, long address) {
    static final @Nullable Setter INSTANCE = find();

    private static @Nullable Setter find() {
      try {
        OneDnn.engine(); // loads the library that is looked for
        for (Map.Entry<String, String> e : Loader.getLoadedLibraries().entrySet()) {
          String file = new File(e.getValue()).getName();
          if (file.contains("omp")) {
            Loader.loadGlobal(e.getValue());
          }
        }
        Pointer address = Loader.addressof("omp_set_num_threads");
        if (address == null) {
          LOG.debug("omp_set_num_threads is in none of {}", Loader.getLoadedLibraries());
          return null;
        }
        Class<?> type = Class.forName("org.bytedeco.javacpp.Pointer$NativeDeallocator");
        Constructor<?> make = type.getDeclaredConstructor(Pointer.class, long.class, long.class);
        make.setAccessible(true);
        Method call = type.getDeclaredMethod("deallocate", long.class, long.class);
        call.setAccessible(true);
        return new Setter(make.newInstance(address, 0L, 0L), call, address.address());
      } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
        LOG.debug("cannot call omp_set_num_threads", e);
        return null;
      }
    }
  }

  /** True where thread counts can be chosen. */
  static boolean canSet() {
    return Setter.INSTANCE != null;
  }

  /** Makes the calling thread's oneDNN work use this many threads. */
  static void use(int threads) {
    int[] current = CURRENT.get();
    if (current[0] == threads) {
      return;
    }
    Setter s = Setter.INSTANCE;
    if (s != null) {
      try {
        s.method.invoke(s.caller, (long) threads, s.address);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("omp_set_num_threads failed", e);
      }
    }
    current[0] = threads;
  }

  /** Threads that a rank gets when nothing is asked: OMP_NUM_THREADS, else all processors. */
  static int defaultThreads() {
    String env = System.getenv("OMP_NUM_THREADS");
    if (env != null) {
      try {
        int n = Integer.parseInt(env.split(",")[0].trim());
        if (n > 0) {
          return n;
        }
      } catch (NumberFormatException e) {
        LOG.warn("OMP_NUM_THREADS={} is not a number: using all processors", env);
      }
    }
    return Runtime.getRuntime().availableProcessors();
  }
}
