package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaMemcpyAsync;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDeviceToDevice;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDeviceToHost;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyHostToDevice;
import static org.bytedeco.cuda.global.cudart.cudaStreamCreateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaStreamDestroy;
import static org.bytedeco.cuda.global.cudart.cudaStreamNonBlocking;
import static org.bytedeco.cuda.global.cudart.cudaStreamSynchronize;
import static org.bytedeco.cuda.global.cudart.cudaStreamWaitEvent;

import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/** A queue of work of one device, in no order with other streams but what events give. */
public final class CudaStream implements AutoCloseable {
  private final CUstream_st stream = new CUstream_st();
  private final Address from = new Address();
  private final Address to = new Address();
  private @Nullable Companion companion;
  private @Nullable CudaEvent tail; // for a companion to wait for

  public CudaStream() {
    CudaErrors.check(
        cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }

  public CUstream_st handle() {
    return stream;
  }

  /** What this stream's work waits for besides its own, or null. */
  public @Nullable Companion companion() {
    return companion;
  }

  /** From now on the host waits for this stream as the companion does; null ends that. */
  public void accompany(@Nullable Companion other) {
    companion = other;
  }

  /** What is called from now on waits for the event's last record. */
  public void await(CudaEvent event) {
    CudaErrors.check(cudaStreamWaitEvent(stream, event.handle(), 0), "cudaStreamWaitEvent");
  }

  /** Waits on the host for all that was called. */
  public void synchronize() {
    Companion other = companion;
    if (other != null) {
      CudaEvent end = tail;
      if (end == null) {
        end = new CudaEvent();
        tail = end;
      }
      end.record(this);
      other.await(end);
      return;
    }
    CudaErrors.check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }

  /** Pinned memory to the device. */
  void upload(Pointer source, long target, long bytes) {
    CudaErrors.check(
        cudaMemcpyAsync(to.of(target), source, bytes, cudaMemcpyHostToDevice, stream),
        "cudaMemcpyAsync to the device");
  }

  /** The device to pinned memory. */
  void download(long source, Pointer target, long bytes) {
    CudaErrors.check(
        cudaMemcpyAsync(target, from.of(source), bytes, cudaMemcpyDeviceToHost, stream),
        "cudaMemcpyAsync from the device");
  }

  /** Within the device. */
  public void copy(long source, long target, long bytes) {
    CudaErrors.check(
        cudaMemcpyAsync(to.of(target), from.of(source), bytes, cudaMemcpyDeviceToDevice, stream),
        "cudaMemcpyAsync within the device");
  }

  @Override
  public void close() {
    if (tail != null) {
      tail.close();
    }
    if (!stream.isNull()) {
      cudaStreamDestroy(stream);
      stream.setNull();
    }
  }
}
