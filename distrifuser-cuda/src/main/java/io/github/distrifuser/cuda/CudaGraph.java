package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaGetLastError;
import static org.bytedeco.cuda.global.cudart.cudaGraphDestroy;
import static org.bytedeco.cuda.global.cudart.cudaGraphExecDestroy;
import static org.bytedeco.cuda.global.cudart.cudaGraphInstantiate;
import static org.bytedeco.cuda.global.cudart.cudaGraphLaunch;
import static org.bytedeco.cuda.global.cudart.cudaStreamBeginCapture;
import static org.bytedeco.cuda.global.cudart.cudaStreamCaptureModeRelaxed;
import static org.bytedeco.cuda.global.cudart.cudaStreamCaptureModeThreadLocal;
import static org.bytedeco.cuda.global.cudart.cudaStreamEndCapture;
import static org.bytedeco.cuda.global.cudart.cudaThreadExchangeStreamCaptureMode;

import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;

/** Work that was captured from a stream, with what other streams did for it in between. */
final class CudaGraph implements AutoCloseable {
  private final CUgraphExec_st executable = new CUgraphExec_st();

  private CudaGraph(CUgraph_st graph) {
    CudaErrors.check(cudaGraphInstantiate(executable, graph, 0), "cudaGraphInstantiate");
  }

  /**
   * Captures what a task calls on a stream, and on streams that wait for its events, instead of
   * running it. The streams must be joined at the end. Calls that wait for the device, allocate
   * memory or load modules are CUDA's errors meanwhile: see {@link #outside}.
   *
   * @throws RuntimeException the task's own; the capture is then forgotten
   * @throws CudaException where something was called that cannot be captured
   */
  static CudaGraph capture(CudaStream stream, Runnable task) {
    CudaErrors.check(
        cudaStreamBeginCapture(stream.handle(), cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
    CUgraph_st graph = new CUgraph_st();
    try {
      int status;
      try {
        task.run();
      } finally {
        status = cudaStreamEndCapture(stream.handle(), graph);
        cudaGetLastError(); // what was called may have left a note of its own
      }
      CudaErrors.check(status, "cudaStreamEndCapture");
      return new CudaGraph(graph);
    } finally {
      if (!graph.isNull()) {
        cudaGraphDestroy(graph);
      }
    }
  }

  /**
   * Calls CUDA during a capture of this thread's for something that is no part of it: memory, and
   * events that were recorded before.
   */
  static void outside(Runnable task) {
    int[] mode = {cudaStreamCaptureModeRelaxed};
    CudaErrors.check(
        cudaThreadExchangeStreamCaptureMode(mode), "cudaThreadExchangeStreamCaptureMode");
    try {
      task.run();
    } finally {
      cudaThreadExchangeStreamCaptureMode(mode);
    }
  }

  /** Runs it once more, in the order of a stream. */
  void launch(CudaStream stream) {
    int status = cudaGraphLaunch(executable, stream.handle());
    if (status != 0) {
      CudaErrors.check(status, "cudaGraphLaunch");
    }
  }

  /** No launch may be under way. */
  @Override
  public void close() {
    if (!executable.isNull()) {
      cudaGraphExecDestroy(executable);
      executable.setNull();
    }
  }
}
