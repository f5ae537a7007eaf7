package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cuLaunchKernel;
import static org.bytedeco.cuda.global.cudart.cuModuleGetFunction;
import static org.bytedeco.cuda.global.cudart.cuModuleLoadData;
import static org.bytedeco.cuda.global.cudart.cuModuleUnload;

import io.github.distrifuser.cuda.kernels.ArgumentKind;
import io.github.distrifuser.cuda.kernels.Kernel;
import io.github.distrifuser.cuda.kernels.KernelCache;
import io.github.distrifuser.cuda.kernels.KernelLibrary;
import io.github.distrifuser.cuda.kernels.KernelSource;
import io.github.distrifuser.cuda.kernels.LaunchSizes;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;

/**
 * Launches kernels of {@link KernelLibrary}. A call names one, gives its arguments in order and
 * runs:
 *
 * <pre>{@code
 * launches.of("scale", dtype).pointer(x).f32(2).pointer(out)...run(stream, elements, threads)
 * }</pre>
 *
 * A module is compiled, or read from the cache on disk, when its first kernel is called.
 */
public final class Launches implements AutoCloseable {
  private static final int MOST = 40; // arguments
  private static final int SLOT = 8; // bytes that each has

  private final KernelCache cache;
  private final String architecture;
  private final int multiprocessors;
  private final Map<KernelSource, CUmod_st> modules = new HashMap<>();
  private final Map<Kernel, CUfunc_st> functions = new HashMap<>();
  private final Map<String, Kernel> typed = new HashMap<>();
  private final BytePointer slots = new BytePointer((long) MOST * SLOT);
  private final ByteBuffer values = slots.asByteBuffer().order(ByteOrder.nativeOrder());
  private final PointerPointer<Pointer> addresses = new PointerPointer<>(MOST);

  private @Nullable Kernel kernel;
  private int count;

  Launches(KernelCache cache, String architecture, int multiprocessors) {
    this.cache = cache;
    this.architecture = architecture;
    this.multiprocessors = multiprocessors;
    for (int i = 0; i < MOST; i++) {
      addresses.put(i, Address.at(slots.address() + (long) i * SLOT));
    }
  }

  /**
   * Begins a call.
   *
   * @param dtype null for kernels that know nothing of a type
   */
  Launches of(String name, @Nullable DType dtype) {
    kernel = typed.computeIfAbsent(name + dtype, n -> KernelLibrary.get(name, dtype));
    count = 0;
    return this;
  }

  private Kernel kernel() {
    Kernel k = kernel;
    if (k == null) {
      throw new IllegalStateException("no kernel is being called");
    }
    return k;
  }

  private int slot(ArgumentKind kind, Object value) {
    Kernel k = kernel();
    if (count >= k.arguments().size() || k.arguments().get(count).kind() != kind) {
      throw new IllegalStateException(
          "argument " + count + " is not " + kind + " " + value + " of " + k);
    }
    return SLOT * count++;
  }

  public Launches pointer(long address) {
    values.putLong(slot(ArgumentKind.POINTER, address), address);
    return this;
  }

  Launches pointer(@Nullable Tensor t) {
    return pointer(t == null ? 0 : t.address());
  }

  public Launches i64(long... numbers) {
    for (long n : numbers) {
      values.putLong(slot(ArgumentKind.I64, n), n);
    }
    return this;
  }

  public Launches i32(long... numbers) {
    for (long n : numbers) {
      values.putInt(slot(ArgumentKind.I32, n), Math.toIntExact(n));
    }
    return this;
  }

  Launches f32(float f) {
    values.putFloat(slot(ArgumentKind.F32, f), f);
    return this;
  }

  /** Launches one thread for each element. */
  public void elements(CudaStream stream, long work) {
    run(stream, work, kernel().threads());
  }

  /** Launches one warp for each row. */
  void warps(CudaStream stream, long work) {
    run(stream, work, kernel().threads() / 32);
  }

  /** Launches one block for each piece of work. */
  void blocks(CudaStream stream, long work) {
    run(stream, work, 1);
  }

  private void run(CudaStream stream, long work, long each) {
    Kernel k = kernel();
    kernel = null;
    if (count != k.arguments().size()) {
      throw new IllegalStateException(count + " arguments for " + k);
    }
    if (work == 0) {
      return;
    }
    CUfunc_st function = functions.get(k);
    if (function == null) {
      function = load(k);
    }
    int blocks = LaunchSizes.blocks(work, each, multiprocessors);
    int status =
        cuLaunchKernel(
            function, blocks, 1, 1, k.threads(), 1, 1, 0, stream.handle(), addresses, null);
    if (status != 0) {
      CudaErrors.checkDriver(
          status,
          "launch of kernel " + k.name() + ", " + blocks + " x " + k.threads() + " threads,");
    }
  }

  private CUfunc_st load(Kernel k) {
    CUmod_st module = modules.get(k.source());
    if (module == null) {
      byte[] cubin = cache.cubin(k.source(), architecture);
      module = new CUmod_st();
      try (BytePointer image = new BytePointer(cubin)) {
        CudaErrors.checkDriver(
            cuModuleLoadData(module, image), "loading of module " + k.source().name());
      }
      modules.put(k.source(), module);
    }
    CUfunc_st function = new CUfunc_st();
    CudaErrors.checkDriver(
        cuModuleGetFunction(function, module, k.name()), "look-up of kernel " + k.name());
    functions.put(k, function);
    return function;
  }

  @Override
  public void close() {
    functions.clear();
    modules.values().forEach(m -> cuModuleUnload(m));
    modules.clear();
    addresses.close();
    slots.close();
  }
}
