package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs steps that call the same operators on the same tensors each time. The first of a kind runs
 * as it is, which makes plans and uploads weights; the second is captured, if the backend can, and
 * from then on the graph runs in its place. Results are the same bits. A step that cannot be
 * captured runs as it is, after a warning.
 */
public final class CapturedSteps implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CapturedSteps.class);
  private static final int TRIES = 2;

  private final Backend backend;
  private final Peers peers;
  private final boolean enabled;
  private final Map<Object, Step> steps = new HashMap<>();

  /** The ranks that take part in a step, who must capture it together or not at all. */
  public interface Peers {

    /** Whether all say yes. Called by all at the same point. */
    boolean all(boolean mine);

    /** Forgets what this rank has posted within a capture that failed. */
    void forget();

    /** A rank for itself. */
    Peers NONE =
        new Peers() {
          @Override
          public boolean all(boolean mine) {
            return mine;
          }

          @Override
          public void forget() {}
        };
  }

  private static final class Step {
    boolean hasRun;
    int failures;
    @Nullable StepGraph graph;
  }

  /**
   * Steps of a backend.
   *
   * @param enabled false to capture nothing
   */
  public CapturedSteps(Backend backend, boolean enabled, Peers peers) {
    this.backend = backend;
    this.enabled = enabled && backend.canCapture();
    this.peers = peers;
  }

  /** Whether steps are captured. Tensors that they use must then stay where they are. */
  public boolean isEnabled() {
    return enabled;
  }

  /**
   * Runs a step.
   *
   * @param kind steps of one kind do the same
   * @param step calls the operators; tensors that it reads or writes and does not allocate must not
   *     be freed before this object is closed
   * @return what the step returned, for the caller to close; the next step may overwrite it
   */
  public Tensor run(Object kind, Supplier<Tensor> step) {
    Step s = steps.computeIfAbsent(kind, k -> new Step());
    StepGraph graph = s.graph;
    if (graph == null && enabled && s.hasRun && s.failures < TRIES) {
      graph = capture(s, kind, step);
    }
    if (graph == null) {
      Tensor result = step.get();
      s.hasRun = true;
      return result;
    }
    Tensor result = graph.replay();
    return result.reshape(result.shape().toArray()); // a view: the caller's close frees nothing
  }

  private @Nullable StepGraph capture(Step s, Object kind, Supplier<Tensor> step) {
    StepGraph graph = null;
    try {
      graph = backend.capture(step);
    } catch (CaptureException e) {
      peers.forget();
      LOG.warn("step {} runs without a graph: {}", kind, e.getMessage());
      LOG.debug("why step {} has no graph", kind, e);
    }
    boolean all = false;
    try {
      all = peers.all(graph != null);
    } finally {
      if (!all && graph != null) {
        graph.close();
      }
    }
    if (!all) {
      s.failures++;
      return null;
    }
    s.graph = graph;
    return graph;
  }

  /**
   * Makes the graphs stay until {@link #rest}. Where a rank has lost one in between, all ranks
   * capture theirs anew. Called by all at the same point.
   */
  public void resume() {
    if (!enabled) {
      return;
    }
    boolean whole = true;
    for (Step s : steps.values()) {
      if (s.graph != null) {
        s.graph.keep(true);
        whole &= s.graph.isOpen();
      }
    }
    if (!peers.all(whole)) {
      close();
    }
  }

  /** Lets the backend take the graphs' memory where it finds no other. */
  public void rest() {
    for (Step s : steps.values()) {
      if (s.graph != null) {
        s.graph.keep(false);
      }
    }
  }

  /** Steps that have a graph now. */
  public int graphs() {
    return (int) steps.values().stream().filter(s -> s.graph != null).count();
  }

  /** Frees the graphs; steps may still run, and be captured again. */
  @Override
  public void close() {
    for (Step s : steps.values()) {
      if (s.graph != null) {
        s.graph.close();
        s.graph = null;
      }
    }
  }
}
