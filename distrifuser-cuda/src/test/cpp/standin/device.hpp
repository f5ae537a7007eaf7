// The device that the stand-in libraries share: memory, streams, events, faults that tests order, and the list of what callers did wrong.
//
// Nothing runs when it is called. Work waits in its stream until somebody synchronises or asks; then a scheduler runs streams in an order that only
// events constrain and that a seed chooses. A missing wait is therefore a wrong number. Addresses are never used twice; new memory is full of NaNs.
#ifndef STANDIN_DEVICE_HPP
#define STANDIN_DEVICE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace standin {

enum Status {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_HANDLE = 400,
  ILLEGAL_STATE = 401,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILURE = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_MERGE = 902,
  CAPTURE_UNMATCHED = 903,
  CAPTURE_UNJOINED = 904,
  CAPTURE_ISOLATION = 905,
  CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
  CAPTURE_WRONG_THREAD = 908,
  UNKNOWN = 999
};

// Bytes that an operation reads or writes.
struct Touch {
  const void* start;
  size_t bytes;
};

// What an operation takes on the simulated clock (clock.cpp): by default, as long as the bytes that it touches take through memory.
struct Cost {
  double flops = 0; // or as long as so many take, if that is longer
  double linkBytes = -1; // or as long as a message of so many bytes, from 0 on
  int64_t nanoseconds = -1; // or so long, from 0 on
};

struct Stream;
struct Event;
struct Pool;
struct CapturedGraph;
struct Executable;

// What every call begins with: the error that ended the device, or 0.
int entered();

// Writes down a caller's mistake.
void report(const std::string& what);

// Appends work to a stream, or to the graph that the stream is captured into: then it runs once for each launch. It fails as one, later, where a touched
// range is not memory of the stream's device when its turn comes. Copies may touch any device's.
int enqueue(Stream* stream, const char* what, std::vector<Touch> touches, std::function<int()> run, Cost cost = {}, bool anyDevice = false);

// What tells whether something is done, asked again and again.
using Done = std::function<bool()>;

// Appends work that goes on until others have done their part: it begins when its turn has come.
int enqueueMeeting(Stream* stream, const char* what, std::vector<Touch> touches, std::function<Done()> begin, Cost cost = {});

// For work that runs, meetings that begin and what tells whether they are done: when it starts on the simulated clock, in nanoseconds; and that it starts
// no earlier than that.
uint64_t startTime();
void startNotBefore(uint64_t nanoseconds);

// Whether a range is allocated memory now; reports it if not.
bool mayTouch(const char* what, const Touch& touch);

// The device of a stream, or -1.
int deviceOf(Stream* stream);

// A number below n, as the seed has it.
unsigned below(unsigned n);

// Whether any of these streams that still exist has work, on a device that has not failed.
bool busy(const std::set<Stream*>& streams);

int streamCreate(Stream** stream);
int streamDestroy(Stream* stream);
int streamSynchronize(Stream* stream);
int deviceSynchronize();
int streamWait(Stream* stream, Event* event);
int eventCreate(Event** event);
int eventDestroy(Event* event);
int eventRecord(Event* event, Stream* stream);
int eventSynchronize(Event* event);
int eventQuery(Event* event);

// What a call begins with that CUDA forbids during a capture: 0, or a status, and then the captures that it concerns are lost.
int unsafe();
bool isCapturing(Stream* stream);
// The status of something that a captured stream doesn't take; the capture is lost.
int refused(Stream* stream);
int exchangeMode(int* mode);
int beginCapture(Stream* stream, int mode);
int endCapture(Stream* stream, CapturedGraph** graph);
int captureInfo(Stream* stream, int* status, uint64_t* id);
int graphNodes(CapturedGraph* graph, size_t* count);
int graphDestroy(CapturedGraph* graph);
int instantiate(Executable** executable, CapturedGraph* graph);
int executableDestroy(Executable* executable);
int graphLaunch(Executable* executable, Stream* stream);

int allocate(void** address, size_t bytes);
int release(void* address);
int hostAllocate(void** address, size_t bytes);
int hostRelease(void* address);
int poolCreate(Pool** pool);
int poolDestroy(Pool* pool);
int poolTrim(Pool* pool, size_t keep);
uint64_t poolReserved(Pool* pool);
uint64_t poolUsed(Pool* pool);
int allocateAsync(void** address, size_t bytes, Pool* pool, Stream* stream);
int releaseAsync(void* address, Stream* stream);
int memoryInfo(size_t* free, size_t* total);
// 1 device memory, 2 pinned memory of the host, 0 neither.
int kindOf(const void* address);

int deviceCount();
int setDevice(int device);
int currentDevice();

// Kernels, by the names that the module has.
int launch(Stream* stream, const char* kernel, const unsigned* grid, const unsigned* block, size_t shared, void** params);

// Counts an object of a library, so that a leak shows.
void counted(const char* kind, int change);

extern int driverVersion;
extern int runtimeVersion;
extern long cudnnVersion;
extern long cublasVersion;
extern int ncclVersion;

// What tests order of a rank of NCCL: its n-th operation from now on fails (1) or never ends (2).
struct Order {
  int kind;
  long left;
};
Order& orderFor(int rank);

// What cuDNN is to refuse.
enum Refusal { REFUSE_RESIDUAL = 1, REFUSE_CHANNEL_BIAS = 2, REFUSE_CONVOLUTION = 4, REFUSE_ATTENTION = 8, REFUSE_BIAS = 16 };
extern int refusals;
// How often something was asked for: convolutions, attentions, matrix products of the libraries; kernels; operations that were captured; launches of graphs.
enum Count { COUNT_CONVOLUTIONS, COUNT_ATTENTIONS, COUNT_PRODUCTS, COUNT_KERNELS, COUNT_CAPTURED, COUNT_GRAPH_LAUNCHES, COUNTS };
extern long counts[COUNTS];

} // namespace standin

#endif
