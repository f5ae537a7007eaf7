// libcudart.so.13: memory, copies, streams and events.
#include "device.hpp"

#include <cstring>

using namespace standin;

namespace {

int thread_local last = SUCCESS;

int done(int status) {
  if (status != SUCCESS && status != NOT_READY) {
    last = status;
  }
  return status;
}

} // namespace

#define ENTER                  \
  if (int e = entered()) {     \
    return done(e);            \
  }

// Of calls that CUDA forbids during a capture.
#define UNSAFE                 \
  if (int e = unsafe()) {      \
    return done(e);            \
  }

EXPORT int cudaGetDeviceCount(int* count) {
  *count = deviceCount();
  return *count == 0 ? NO_DEVICE : SUCCESS;
}

EXPORT int cudaSetDevice(int device) { return done(setDevice(device)); }

EXPORT int cudaGetDevice(int* device) {
  *device = currentDevice();
  return SUCCESS;
}

EXPORT int cudaDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
  case 16: // multiprocessors
    *value = 2;
    return SUCCESS;
  case 75: // compute capability
    *value = 9;
    return SUCCESS;
  case 76:
    *value = 0;
    return SUCCESS;
  case 115: // memory pools
    *value = 1;
    return SUCCESS;
  default:
    return done(INVALID_VALUE);
  }
}

EXPORT int cudaRuntimeGetVersion(int* version) {
  *version = runtimeVersion;
  return SUCCESS;
}

EXPORT int cudaDriverGetVersion(int* version) {
  *version = driverVersion;
  return SUCCESS;
}

EXPORT int cudaGetLastError() {
  const int e = last;
  last = SUCCESS;
  return e;
}

EXPORT int cudaPeekAtLastError() { return last; }

EXPORT const char* cudaGetErrorName(int e) {
  switch (e) {
  case SUCCESS:
    return "cudaSuccess";
  case OUT_OF_MEMORY:
    return "cudaErrorMemoryAllocation";
  case ILLEGAL_ADDRESS:
    return "cudaErrorIllegalAddress";
  case LAUNCH_FAILURE:
    return "cudaErrorLaunchFailure";
  case 701:
    return "cudaErrorLaunchOutOfResources";
  default:
    return "cudaError";
  }
}

EXPORT const char* cudaGetErrorString(int e) {
  switch (e) {
  case SUCCESS:
    return "no error";
  case OUT_OF_MEMORY:
    return "out of memory";
  case ILLEGAL_ADDRESS:
    return "an illegal memory access was encountered";
  case LAUNCH_FAILURE:
    return "unspecified launch failure";
  case 701:
    return "too many resources requested for launch";
  default:
    return "error";
  }
}

EXPORT int cudaMemGetInfo(size_t* free, size_t* total) { return memoryInfo(free, total); }

EXPORT int cudaMalloc(void** p, size_t n) {
  ENTER
  UNSAFE
  return done(allocate(p, n));
}

EXPORT int cudaFree(void* p) {
  UNSAFE
  const int e = release(p);
  return done(e != SUCCESS ? e : entered());
}

EXPORT int cudaHostAlloc(void** p, size_t n, unsigned) {
  ENTER
  UNSAFE
  return done(hostAllocate(p, n));
}

EXPORT int cudaMallocHost(void** p, size_t n) { return cudaHostAlloc(p, n, 0); }

EXPORT int cudaFreeHost(void* p) {
  UNSAFE
  return done(hostRelease(p));
}

EXPORT int cudaMemPoolCreate(Pool** pool, const void*) {
  ENTER
  UNSAFE
  return done(poolCreate(pool));
}

EXPORT int cudaMemPoolDestroy(Pool* pool) {
  UNSAFE
  return done(poolDestroy(pool));
}

EXPORT int cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  *can = device != peer;
  return SUCCESS;
}

EXPORT int cudaMemPoolSetAccess(Pool*, const void*, size_t) { return SUCCESS; }

EXPORT int cudaMemPoolTrimTo(Pool* pool, size_t keep) {
  UNSAFE
  return done(poolTrim(pool, keep));
}

EXPORT int cudaMemPoolSetAttribute(Pool*, int, void*) { return SUCCESS; }

EXPORT int cudaMemPoolGetAttribute(Pool* pool, int attribute, void* value) {
  switch (attribute) {
  case 5: // reserved now
    *static_cast<uint64_t*>(value) = poolReserved(pool);
    return SUCCESS;
  case 7: // used now
    *static_cast<uint64_t*>(value) = poolUsed(pool);
    return SUCCESS;
  default:
    return done(INVALID_VALUE);
  }
}

EXPORT int cudaMallocFromPoolAsync(void** p, size_t n, Pool* pool, Stream* stream) {
  ENTER
  return done(allocateAsync(p, n, pool, stream));
}

EXPORT int cudaFreeAsync(void* p, Stream* stream) { return done(releaseAsync(p, stream)); }

EXPORT int cudaMemcpyAsync(void* to, const void* from, size_t n, int kind, Stream* stream) {
  ENTER
  const int expectedTo = kind == 2 ? 2 : 1;
  const int expectedFrom = kind == 1 ? 2 : 1;
  if (n > 0 && (kind < 1 || kind > 3 || kindOf(to) != expectedTo || kindOf(from) != expectedFrom)) {
    if (isCapturing(stream)) {
      return done(refused(stream));
    }
    report("cudaMemcpyAsync between other kinds of memory than it is told, or memory that is not pinned");
    return done(INVALID_VALUE);
  }
  return done(enqueue(stream, "cudaMemcpyAsync", {{to, n}, {from, n}}, [=] {
    std::memcpy(to, from, n);
    return SUCCESS;
  }, {}, true));
}

EXPORT int cudaMemsetAsync(void* to, int value, size_t n, Stream* stream) {
  ENTER
  return done(enqueue(stream, "cudaMemsetAsync", {{to, n}}, [=] {
    std::memset(to, value, n);
    return SUCCESS;
  }));
}

EXPORT int cudaStreamCreateWithFlags(Stream** stream, unsigned) {
  ENTER
  UNSAFE
  return done(streamCreate(stream));
}

EXPORT int cudaStreamDestroy(Stream* stream) { return done(streamDestroy(stream)); }

EXPORT int cudaStreamSynchronize(Stream* stream) {
  if (!isCapturing(stream)) {
    UNSAFE
  }
  return done(streamSynchronize(stream));
}

EXPORT int cudaDeviceSynchronize() {
  UNSAFE
  return done(deviceSynchronize());
}

EXPORT int cudaStreamWaitEvent(Stream* stream, Event* event, unsigned) {
  ENTER
  return done(streamWait(stream, event));
}

EXPORT int cudaEventCreateWithFlags(Event** event, unsigned) {
  ENTER
  return done(eventCreate(event));
}

EXPORT int cudaEventRecord(Event* event, Stream* stream) {
  ENTER
  return done(eventRecord(event, stream));
}

EXPORT int cudaEventSynchronize(Event* event) {
  UNSAFE
  return done(eventSynchronize(event));
}

EXPORT int cudaEventQuery(Event* event) {
  UNSAFE
  return done(eventQuery(event));
}

EXPORT int cudaEventDestroy(Event* event) { return done(eventDestroy(event)); }

EXPORT int cudaThreadExchangeStreamCaptureMode(int* mode) { return done(exchangeMode(mode)); }

EXPORT int cudaStreamBeginCapture(Stream* stream, int mode) {
  ENTER
  return done(beginCapture(stream, mode));
}

EXPORT int cudaStreamEndCapture(Stream* stream, CapturedGraph** graph) { return done(endCapture(stream, graph)); }

EXPORT int cudaStreamIsCapturing(Stream* stream, int* status) { return done(captureInfo(stream, status, nullptr)); }

// Without the nodes that come before.
EXPORT int cudaStreamGetCaptureInfo(Stream* stream, int* status, uint64_t* id, CapturedGraph** graph, void* nodes, void* edges, size_t* count) {
  if (graph != nullptr || nodes != nullptr || edges != nullptr || count != nullptr) {
    return done(NOT_SUPPORTED);
  }
  return done(captureInfo(stream, status, id));
}

EXPORT int cudaGraphGetNodes(CapturedGraph* graph, void* nodes, size_t* count) {
  return done(nodes != nullptr ? static_cast<int>(NOT_SUPPORTED) : graphNodes(graph, count));
}

EXPORT int cudaGraphInstantiate(Executable** executable, CapturedGraph* graph, unsigned long long) {
  ENTER
  UNSAFE
  return done(instantiate(executable, graph));
}

EXPORT int cudaGraphLaunch(Executable* executable, Stream* stream) {
  ENTER
  return done(graphLaunch(executable, stream));
}

EXPORT int cudaGraphExecDestroy(Executable* executable) { return done(executableDestroy(executable)); }

EXPORT int cudaGraphDestroy(CapturedGraph* graph) { return done(graphDestroy(graph)); }
