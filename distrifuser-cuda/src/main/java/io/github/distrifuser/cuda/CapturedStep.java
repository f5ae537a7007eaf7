package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaStreamSynchronize;

import io.github.distrifuser.backend.StepGraph;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** A graph with the memory that it works in. */
final class CapturedStep implements StepGraph {
  private final StepCaptures owner;
  private final CudaContext context;
  private final CudaGraph graph;
  private final DeviceMemory.Capture memory;
  private final Tensor result;
  private final Companion.@Nullable Traffic traffic;
  private boolean needed = true;
  private boolean open = true;

  CapturedStep(
      StepCaptures owner,
      CudaContext context,
      CudaGraph graph,
      DeviceMemory.Capture memory,
      Tensor result,
      Companion.@Nullable Traffic traffic) {
    this.owner = owner;
    this.context = context;
    this.graph = graph;
    this.memory = memory;
    this.result = result;
    this.traffic = traffic;
  }

  @Override
  public synchronized Tensor replay() {
    if (!open) {
      throw new IllegalStateException("a captured step is run after it was closed");
    }
    context.activate();
    Companion companion = context.compute().companion();
    if (companion != null && traffic != null) {
      companion.sends(traffic);
    }
    graph.launch(context.compute());
    return result;
  }

  @Override
  public synchronized boolean isOpen() {
    return open;
  }

  @Override
  public synchronized void keep(boolean wanted) {
    needed = wanted;
  }

  synchronized boolean isNeeded() {
    return needed;
  }

  @Override
  public long bytes() {
    return memory.bytes();
  }

  @Override
  public synchronized void close() {
    if (!open) {
      return;
    }
    open = false;
    owner.forget(this);
    context.activate();
    try {
      context.compute().synchronize();
    } catch (RuntimeException e) {
      // What failed is said elsewhere; its memory must be freed, once nothing runs any more.
      cudaStreamSynchronize(context.compute().handle());
    }
    graph.close();
    context.memory().free(memory);
  }
}
