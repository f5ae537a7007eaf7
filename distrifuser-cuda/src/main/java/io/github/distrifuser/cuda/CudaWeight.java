package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaFree;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Shape;

/**
 * A prepared weight in one piece of a device's memory. Its upload runs on the stream of the backend
 * that prepared it; whoever computes with it waits for that first.
 */
abstract class CudaWeight implements PreparedWeight {
  private final String name;
  private final Shape shape;
  private final int device;
  private final long address;
  private final long bytes;
  private final CudaEvent ready = new CudaEvent();
  private volatile boolean settled;
  private volatile boolean closed;

  /**
   * @param bytes that the weight takes on the device
   */
  CudaWeight(String name, Shape shape, WeightUploads uploads, long bytes) {
    this.name = name;
    this.shape = shape;
    this.device = uploads.device();
    this.bytes = bytes;
    try {
      this.address = uploads.allocate(bytes, name);
    } catch (RuntimeException e) {
      ready.close();
      throw e;
    }
  }

  /** Says that all was put on the upload's stream. */
  final void sent(WeightUploads uploads) {
    ready.record(uploads.stream());
  }

  @Override
  public final String name() {
    return name;
  }

  @Override
  public final Shape shape() {
    return shape;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  /** First byte's address. */
  final long address() {
    return address;
  }

  /** Lets the stream wait for the upload, if it is still under way. */
  final void await(CudaContext context) {
    if (closed) {
      throw new IllegalStateException("weight " + name + " used after close");
    }
    if (device != context.device()) {
      throw new IllegalArgumentException(
          "weight " + name + " is on cuda:" + device + ", not on cuda:" + context.device());
    }
    if (!settled) {
      if (context.isCapturing()) {
        CudaGraph.outside(ready::synchronize);
        settled = true;
      } else if (ready.isReached()) {
        settled = true;
      } else {
        context.compute().await(ready);
      }
    }
  }

  @Override
  public PreparedWeight rows(long from, long to) {
    throw new UnsupportedOperationException(name + " is not a linear weight: it has no row slices");
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      cudaSetDevice(device);
      cudaFree(Address.at(address)); // waits for the work that uses it
      ready.close();
    }
  }
}
