package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaEventCreateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaEventDestroy;
import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;
import static org.bytedeco.cuda.global.cudart.cudaEventQuery;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaEventSynchronize;

import org.bytedeco.cuda.cudart.CUevent_st;

/** A point in a stream that others wait for. */
final class CudaEvent implements AutoCloseable {
  private final CUevent_st event = new CUevent_st();

  CudaEvent() {
    CudaErrors.check(
        cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }

  CUevent_st handle() {
    return event;
  }

  /** Puts the point behind all that the stream has been given. */
  void record(CudaStream stream) {
    CudaErrors.check(cudaEventRecord(event, stream.handle()), "cudaEventRecord");
  }

  /** Waits on the host; returns at once where nothing was recorded. */
  void synchronize() {
    CudaErrors.check(cudaEventSynchronize(event), "cudaEventSynchronize");
  }

  /** Whether the point has been reached. */
  boolean isReached() {
    return cudaEventQuery(event) == 0;
  }

  @Override
  public void close() {
    if (!event.isNull()) {
      cudaEventDestroy(event);
      event.setNull();
    }
  }
}
