package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_default_flags;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_destroy;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bytedeco.dnnl.dnnl_stream;
import org.jspecify.annotations.Nullable;

/** What the operators of one backend share: primitives by shape, scratch memory, threads. */
final class DnnContext implements AutoCloseable {
  /** Uses of scratch memory that can be live at the same time. */
  enum Scratch {
    PRIMITIVE,
    SCORES,
    SHARES,
    SUMS,
    GATE,
    PACKED_KEYS,
    PACKED_VALUES,
    BIAS,
    MOMENTS,
    FILTERS,
    TILES,
    TILE_PRODUCTS,
    WIDENED
  }

  private final DType dtype;
  private final int threads;
  private final SlabAllocator allocator;
  private final Workers workers;
  private final dnnl_stream stream = new dnnl_stream();
  private final Map<Object, DnnPrimitive> primitives = new HashMap<>();
  private final SlabAllocator.@Nullable Block[] scratch =
      new SlabAllocator.@Nullable Block[Scratch.values().length];
  private final @Nullable DnnContext[] ofWorkers;
  private boolean closed;

  DnnContext(DType dtype, int threads, SlabAllocator allocator) {
    this.dtype = dtype;
    this.threads = threads;
    this.allocator = allocator;
    this.workers = new Workers(threads);
    this.ofWorkers = new @Nullable DnnContext[threads];
    OneDnn.check(
        dnnl_stream_create(stream, OneDnn.engine(), dnnl_stream_default_flags), "create a stream");
  }

  /** Type of activations. */
  DType dtype() {
    return dtype;
  }

  int threads() {
    return threads;
  }

  Workers workers() {
    return workers;
  }

  /** For what each of the workers does by itself: one that computes on its own thread alone. */
  DnnContext ofWorker(int worker) {
    DnnContext c = ofWorkers[worker];
    if (c == null) {
      c = new DnnContext(dtype, 1, allocator);
      ofWorkers[worker] = c;
    }
    return c;
  }

  /** The primitive for a key, which is a record that says all that it depends on. */
  DnnPrimitive primitive(Object key, Supplier<DnnPrimitive> make) {
    DnnPrimitive p = primitives.get(key);
    if (p == null) {
      OmpThreads.use(threads); // part of what oneDNN plans for
      p = make.get();
      primitives.put(key, p);
    }
    return p;
  }

  /** Runs a primitive to its end. */
  void run(DnnPrimitive p, long... addresses) {
    OmpThreads.use(threads);
    long bytes = p.scratchBytes();
    p.execute(stream, bytes == 0 ? 0 : scratch(Scratch.PRIMITIVE, bytes).address(), addresses);
  }

  /** At least this many bytes with undefined content, until the next request for the same use. */
  SlabAllocator.Block scratch(Scratch use, long bytes) {
    SlabAllocator.Block b = scratch[use.ordinal()];
    if (b == null || b.size() < bytes) {
      if (b != null) {
        scratch[use.ordinal()] = null; // taking may fail
        allocator.give(b);
      }
      b = allocator.take(bytes);
      scratch[use.ordinal()] = b;
    }
    return b;
  }

  /** Gives scratch memory back to the allocator. */
  void releaseScratch() {
    for (int i = 0; i < scratch.length; i++) {
      SlabAllocator.Block b = scratch[i];
      if (b != null) {
        allocator.give(b);
        scratch[i] = null;
      }
    }
    forEachWorker(DnnContext::releaseScratch);
  }

  private void forEachWorker(Consumer<DnnContext> action) {
    for (DnnContext c : ofWorkers) {
      if (c != null) {
        action.accept(c);
      }
    }
  }

  /** Names of the implementations in use, for tests. */
  List<String> implementations() {
    List<String> names = new ArrayList<>();
    primitives.values().forEach(p -> names.add(p.implementation() + " " + p.what()));
    forEachWorker(c -> names.addAll(c.implementations()));
    return names;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    forEachWorker(DnnContext::close);
    primitives.values().forEach(DnnPrimitive::close);
    primitives.clear();
    dnnl_stream_destroy(stream);
    workers.close();
  }
}
