package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaErrorNotReady;
import static org.bytedeco.cuda.global.cudart.cudaEventCreateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaEventDestroy;
import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;
import static org.bytedeco.cuda.global.cudart.cudaEventQuery;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaEventSynchronize;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.jspecify.annotations.Nullable;

/** A point in a stream that others wait for. */
public final class CudaEvent implements AutoCloseable {
  private final CUevent_st event = new CUevent_st();
  private @Nullable CudaStream stream; // where it was recorded last

  public CudaEvent() {
    CudaErrors.check(
        cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }

  CUevent_st handle() {
    return event;
  }

  /** Puts the point behind all that the stream has been given. */
  public void record(CudaStream where) {
    CudaErrors.check(cudaEventRecord(event, where.handle()), "cudaEventRecord");
    stream = where;
  }

  /** Waits on the host; returns at once where nothing was recorded. */
  void synchronize() {
    Companion companion = stream == null ? null : stream.companion();
    if (companion == null) {
      CudaErrors.check(cudaEventSynchronize(event), "cudaEventSynchronize");
    } else {
      companion.await(this);
    }
  }

  /**
   * Whether the point has been reached.
   *
   * @throws CudaException where the device has failed
   */
  public boolean isReached() {
    int status = cudaEventQuery(event);
    if (status == cudaErrorNotReady) {
      return false;
    }
    CudaErrors.check(status, "cudaEventQuery");
    return true;
  }

  @Override
  public void close() {
    if (!event.isNull()) {
      cudaEventDestroy(event);
      event.setNull();
    }
  }
}
