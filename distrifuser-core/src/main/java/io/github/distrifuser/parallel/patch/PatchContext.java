package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.SoloCommunicator;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.PatchRows;
import io.github.distrifuser.parallel.StepPhase;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What the layers of one rank share: the patch, the mode, the phase of the current step, and the
 * exchange. Replanned for each generation; layers notice by its {@link #generation}.
 */
public final class PatchContext {
  private final Backend backend;
  private final List<Tensor> buffers = new ArrayList<>();
  private long generation;
  private SyncMode mode = SyncMode.FULL_SYNC;
  private StepPhase phase = StepPhase.SYNCHRONOUS;
  private PatchRows rows = PatchRows.even(1, 1, 1);
  private int index;
  private ActivationExchange exchange = exchange(new SoloCommunicator(), 1);

  public PatchContext(Backend backend) {
    this.backend = backend;
  }

  /**
   * Plans a generation.
   *
   * @param newMode what is exchanged after warm-up
   * @param newRows the patches, in latent rows
   * @param group the ranks that compute them, in the patches' order
   * @param batchOf how many small messages travel together
   */
  public void plan(SyncMode newMode, PatchRows newRows, Communicator group, int batchOf) {
    release();
    if (newRows.patches() != group.size()) {
      throw new IllegalArgumentException(
          newRows.patches() + " patches for " + group.size() + " ranks");
    }
    mode = newMode;
    rows = newRows;
    index = group.rank();
    exchange = exchange(group, batchOf);
    phase = StepPhase.SYNCHRONOUS;
  }

  private ActivationExchange exchange(Communicator group, int batchOf) {
    return new ActivationExchange(group, batchOf, posting(mode));
  }

  /** What is sent for the step after. */
  private static Set<ExchangeKind> posting(SyncMode mode) {
    return switch (mode) {
      case CORRECTED_ASYNC_GN, STALE_GN -> EnumSet.allOf(ExchangeKind.class);
      case SYNC_GN, SEPARATE_GN -> EnumSet.of(ExchangeKind.HALO, ExchangeKind.KEY_VALUE);
      case FULL_SYNC, NO_SYNC -> EnumSet.noneOf(ExchangeKind.class);
    };
  }

  /**
   * Waits for what is under way and frees the buffers of the generation; layers that run again plan
   * anew. Idempotent.
   */
  public void release() {
    generation++;
    try {
      exchange.drain();
    } finally {
      exchange = exchange(new SoloCommunicator(), 1);
      buffers.forEach(Tensor::close);
      buffers.clear();
    }
  }

  /** A buffer that lives as long as the generation. */
  Tensor buffer(DType dtype, long... dims) {
    Tensor t = backend.allocate(dtype, Shape.of(dims));
    buffers.add(t);
    return t;
  }

  /** Changes with every plan and release. */
  long generation() {
    return generation;
  }

  public void setPhase(StepPhase newPhase) {
    phase = newPhase;
    exchange.setFirstAsynchronous(newPhase == StepPhase.FIRST_ASYNCHRONOUS);
  }

  StepPhase phase() {
    return phase;
  }

  SyncMode mode() {
    return mode;
  }

  /** Whether layers take fresh activations of the other patches in this step. */
  boolean synchronous() {
    return phase == StepPhase.SYNCHRONOUS || mode == SyncMode.FULL_SYNC;
  }

  /** Whether convolutions and attention send for the next step. */
  boolean sendsAsynchronously() {
    return !synchronous() && mode != SyncMode.NO_SYNC;
  }

  public PatchRows rows() {
    return rows;
  }

  /** This rank's patch. */
  public int index() {
    return index;
  }

  /** Number of patches. */
  public int patches() {
    return rows.patches();
  }

  boolean isFirst() {
    return index == 0;
  }

  boolean isLast() {
    return index == rows.patches() - 1;
  }

  public ActivationExchange exchange() {
    return exchange;
  }
}
