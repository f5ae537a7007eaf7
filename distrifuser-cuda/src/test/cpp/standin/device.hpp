// The device that the stand-in libraries share: memory, streams, events, faults that tests order, and the list of what callers did wrong.
//
// Nothing runs when it is called. Work waits in its stream until somebody synchronises or asks; then a scheduler runs streams in an order that only
// events constrain and that a seed chooses. A missing wait is therefore a wrong number. Addresses are never used twice; new memory is full of NaNs.
#ifndef STANDIN_DEVICE_HPP
#define STANDIN_DEVICE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
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
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILURE = 719,
  UNKNOWN = 999
};

// Bytes that an operation reads or writes.
struct Touch {
  const void* start;
  size_t bytes;
};

struct Stream;
struct Event;
struct Pool;

// What every call begins with: the error that ended the device, or 0.
int entered();

// Writes down a caller's mistake.
void report(const std::string& what);

// Appends work to a stream. It fails as one, later, where a touched range is not memory of the stream's device when its turn comes. Copies may touch
// any device's.
int enqueue(Stream* stream, const char* what, std::vector<Touch> touches, std::function<int()> run, bool anyDevice = false);

// Appends work that goes on until others have done their part: asked again and again once its turn has come, until it is done.
int enqueueMeeting(Stream* stream, const char* what, std::vector<Touch> touches, std::function<bool()> done);

// Whether a range is allocated memory now; reports it if not.
bool mayTouch(const char* what, const Touch& touch);

// The device of a stream, or -1.
int deviceOf(Stream* stream);

// A number below n, as the seed has it.
unsigned below(unsigned n);

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
// How often each engine's work was asked for: convolutions, attentions, matrix products.
extern long counts[3];

} // namespace standin

#endif
