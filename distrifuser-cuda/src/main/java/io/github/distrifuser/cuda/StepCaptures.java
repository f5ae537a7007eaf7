package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.CaptureException;
import io.github.distrifuser.backend.StepGraph;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Captures steps of one backend, and knows those that can run. */
final class StepCaptures implements AutoCloseable {
  private final CudaContext context;
  private final Set<CapturedStep> steps = new LinkedHashSet<>();

  StepCaptures(CudaContext context) {
    this.context = context;
    context.memory().onShortage(this::giveUpIdle);
  }

  /**
   * Captures a step.
   *
   * @throws CaptureException where something in it cannot be captured
   */
  StepGraph capture(Supplier<Tensor> step) {
    context.synchronize(); // so that nothing from outside is waited for
    context.beginCapture();
    Result result = new Result();
    CudaGraph graph = null;
    Companion companion = context.compute().companion();
    if (companion != null) {
      companion.beginCapture();
    }
    try {
      graph =
          CudaGraph.capture(
              context.compute(),
              () -> {
                result.tensor = step.get();
                if (companion != null) {
                  result.traffic = companion.endCapture();
                }
              });
    } catch (RuntimeException e) {
      throw new CaptureException(
          "cuda:" + context.device() + " cannot capture it: " + e.getMessage(), e);
    } finally {
      if (graph == null) {
        if (result.tensor != null) {
          result.tensor.close();
        }
        if (companion != null) {
          companion.abandonCapture();
        }
        context.abandonCapture();
      }
    }
    Tensor tensor = result.tensor;
    if (tensor == null) {
      throw new IllegalStateException("a step without a result");
    }
    CapturedStep captured =
        new CapturedStep(this, context, graph, context.endCapture(), tensor, result.traffic);
    steps.add(captured);
    return captured;
  }

  private static final class Result {
    @Nullable Tensor tensor;
    Companion.@Nullable Traffic traffic; // null without a companion
  }

  void forget(CapturedStep step) {
    steps.remove(step);
  }

  /** Closes what may be captured again; says whether there was any. */
  private boolean giveUpIdle() {
    List<CapturedStep> idle = steps.stream().filter(s -> !s.isNeeded()).toList();
    idle.forEach(CapturedStep::close);
    return !idle.isEmpty();
  }

  @Override
  public void close() {
    new ArrayList<>(steps).forEach(CapturedStep::close);
  }
}
