#include "queue.hpp"
#include "math.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace standin {

int driverVersion = 13010;
int runtimeVersion = 13010;
long cudnnVersion = 91900;
long cublasVersion = 130200;
int ncclVersion = 22903;
int refusals = 0;
long counts[COUNTS];

struct Pool {
  int device;
  uint64_t reserved = 0;
  uint64_t used = 0;
};

std::recursive_mutex mutex;
std::set<Stream*> streams;

namespace {

struct Block {
  size_t bytes;
  size_t mapped;
  bool host;
  bool born; // its stream has come to its allocation
  bool dying; // a free has been asked for
  Pool* pool;
  int device;
};

std::map<uintptr_t, Block> blocks;
std::map<uintptr_t, size_t> dead; // start and bytes of what was freed
std::map<Event*, std::shared_ptr<Event>> events;
std::set<Pool*> pools;
std::map<std::string, int> objects;
std::map<std::string, std::string> signatures; // p pointer, 4 and 8 numbers of so many bytes
std::string reports;
std::string answer;
uint64_t total = 6ull << 30;
uint64_t used = 0;
int devices = 1;
thread_local int device = 0;
constexpr int MOST_DEVICES = 64;
int sticky[MOST_DEVICES]; // the error that ended each device, or 0
std::map<int, Order> orders; // by rank of NCCL
uint64_t dice = 1;
uint64_t seed = 1;
long allocationsToFault = 0; // 1: the next and all after it fail
long launchesToRefuse = 0;
long launchesToFail = 0;
int streamNumbers = 0;
int (*emulate)(const char*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, size_t, void**) = nullptr;
const char* (*emulationFailure)() = nullptr;

constexpr size_t PAGE = 4096;
constexpr size_t ROUND = 512;
constexpr unsigned char GUARD = 0xa5;
constexpr size_t ARENA = 1ull << 42;
char* arena = nullptr;
size_t arenaUsed = 0;

// Memory at an address that nothing had before, with an unmapped page before and behind.
void* map(size_t bytes, Block& block) {
  if (arena == nullptr) {
    void* p = mmap(nullptr, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
      return nullptr;
    }
    arena = static_cast<char*>(p);
  }
  block.mapped = (bytes + PAGE - 1) / PAGE * PAGE;
  if (arenaUsed + block.mapped + 2 * PAGE > ARENA) {
    return nullptr;
  }
  char* at = arena + arenaUsed + PAGE;
  arenaUsed += block.mapped + PAGE;
  if (mprotect(at, block.mapped, PROT_READ | PROT_WRITE) != 0) {
    return nullptr;
  }
  std::memset(at, 0xff, bytes);
  std::memset(at + bytes, GUARD, block.mapped - bytes);
  return at;
}

void bury(uintptr_t address) {
  auto found = blocks.find(address);
  Block& b = found->second;
  const unsigned char* p = reinterpret_cast<unsigned char*>(address);
  for (size_t i = b.bytes; i < b.mapped; i++) {
    if (p[i] != GUARD) {
      report("something wrote " + std::to_string(i - b.bytes) + " bytes behind the end of an allocation of " + std::to_string(b.bytes));
      break;
    }
  }
  void* start = reinterpret_cast<void*>(address);
  madvise(start, b.mapped, MADV_DONTNEED);
  mprotect(start, b.mapped, PROT_NONE);
  dead[address] = b.bytes;
  blocks.erase(found);
}

const std::pair<const uintptr_t, Block>* find(const void* p) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  auto found = blocks.upper_bound(at);
  if (found == blocks.begin()) {
    return nullptr;
  }
  --found;
  return at < found->first + std::max<size_t>(found->second.bytes, 1) ? &*found : nullptr;
}

std::string describe(const void* p) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  auto found = dead.upper_bound(at);
  if (found != dead.begin() && at < (--found)->first + found->second) {
    return "memory that was freed";
  }
  return "an address that is not the device's";
}

// Whether a range is memory that a device may reach; any device where it is -1.
bool allowed(const char* what, const Touch& t, int by) {
  if (t.bytes == 0) {
    return true;
  }
  const auto* block = find(t.start);
  if (block == nullptr) {
    report(std::string(what) + " touches " + describe(t.start));
    return false;
  }
  if (by >= 0 && !block->second.host && block->second.device != by) {
    report(std::string(what) + " on device " + std::to_string(by) + " touches memory of device " + std::to_string(block->second.device));
    return false;
  }
  if (!block->second.born) {
    report(std::string(what) + " touches memory before its stream has come to its allocation");
    return false;
  }
  const uintptr_t end = reinterpret_cast<uintptr_t>(t.start) + t.bytes;
  if (end > block->first + block->second.bytes) {
    report(std::string(what) + " touches " + std::to_string(end - block->first - block->second.bytes) + " bytes behind the end of an allocation of " +
           std::to_string(block->second.bytes));
    return false;
  }
  return true;
}

bool runnable(const Stream* s) {
  if (s->queue.empty()) {
    return false;
  }
  const Operation& o = s->queue.front();
  switch (o.kind) {
  case Operation::WAIT:
    return o.event->completed >= o.version;
  case Operation::WORK:
    return !o.meeting.isBegun() || sticky[s->device] != SUCCESS || isDone(o.meeting);
  case Operation::GRAPH:
    return o.launched->left == 0 || sticky[s->device] != SUCCESS || !o.launched->readyNodes().empty();
  default:
    return true;
  }
}

// Whether what is going on needs others, so that to wait for them is no mistake.
bool meetingUnderWay() {
  return std::any_of(streams.begin(), streams.end(), [](Stream* s) {
    return !s->queue.empty() && (s->queue.front().meeting.isBegun() || (s->queue.front().launched != nullptr && s->queue.front().launched->isMeeting()));
  });
}

// Does work, or begins a meeting, unless the device has failed. True when it is over; it ended then.
bool perform(const Work& work, Meeting& meeting, int on, int lane, uint64_t earliest, uint64_t* end) {
  *end = earliest;
  if (sticky[on] != SUCCESS) {
    return true;
  }
  if (meeting.isBegun()) {
    *end = endOf(work, lane, meeting);
    return true;
  }
  for (const Touch& t : work.touches) {
    if (!allowed(work.what, t, work.anyDevice ? -1 : on)) {
      sticky[on] = ILLEGAL_ADDRESS;
      return true;
    }
  }
  if (work.begin) {
    begin(work, earliest, meeting);
    return false;
  }
  const int status = timed(work, lane, earliest, end);
  if (status != SUCCESS) {
    sticky[on] = status;
  }
  return true;
}

// Runs one node of the graph that a stream has come to.
void stepGraph(Stream* s) {
  const std::shared_ptr<Run> run = s->queue.front().launched;
  const uint64_t now = std::max(s->now, s->queue.front().issued);
  const std::vector<size_t> ready = run->readyNodes();
  if (sticky[s->device] != SUCCESS) {
    run->left = 0;
  } else if (!ready.empty()) {
    const size_t n = ready[next() % ready.size()];
    const Node& node = run->graph->nodes[n];
    if (perform(node.work, run->meetings[n], s->device, node.lane, run->startOf(n, now), &run->ends[n])) {
      run->done[n] = 1;
      run->left--;
    }
  }
  if (run->left == 0) {
    s->now = now;
    for (uint64_t end : run->ends) {
      s->now = std::max(s->now, end);
    }
    run->before = nullptr;
    s->queue.pop_front();
  }
}

void step(Stream* s) {
  Operation& front = s->queue.front();
  if (front.kind == Operation::GRAPH) {
    stepGraph(s);
    return;
  }
  s->now = std::max(s->now, front.issued);
  if (front.kind == Operation::WORK) {
    if (perform(front.work, front.meeting, s->device, s->number, s->now, &s->now)) {
      s->queue.pop_front();
    }
    return;
  }
  const Operation o = std::move(front);
  s->queue.pop_front();
  switch (o.kind) {
  case Operation::WAIT:
    s->now = std::max(s->now, o.event->time);
    break;
  case Operation::RECORD:
    o.event->completed = std::max(o.event->completed, o.version);
    o.event->time = s->now;
    break;
  case Operation::BIRTH:
    blocks.at(reinterpret_cast<uintptr_t>(o.address)).born = true;
    break;
  case Operation::DEATH:
    bury(reinterpret_cast<uintptr_t>(o.address));
    break;
  case Operation::WORK:
  case Operation::GRAPH:
    break;
  }
}

// Runs streams until a condition holds; gives the device's error. The target is the stream that is waited for, or null. Where only others can help, which
// may be other threads, the lock is let go for a while; nobody may hold it twice.
int runUntil(Stream* target, int on, const std::function<bool()>& done) {
  const unsigned policy = next() % 3; // 0 the target as far as it can, 1 all others first, 2 any
  while (!done()) {
    std::vector<Stream*> ready;
    for (Stream* s : streams) {
      if (s != target && runnable(s)) {
        ready.push_back(s);
      }
    }
    Stream* chosen;
    const bool own = target != nullptr && runnable(target);
    if (own && (policy == 0 || ready.empty() || (policy == 2 && next() % (ready.size() + 1) == 0))) {
      chosen = target;
    } else if (!ready.empty()) {
      chosen = ready[next() % ready.size()];
    } else if (meetingUnderWay()) {
      mutex.unlock();
      usleep(100);
      mutex.lock();
      continue;
    } else {
      report("all streams wait for events that nobody will record");
      sticky[on] = UNKNOWN;
      return sticky[on];
    }
    step(chosen);
  }
  return sticky[on];
}

// Runs up to so many steps, of any stream.
void runSome(unsigned steps) {
  for (unsigned i = 0; i < steps; i++) {
    std::vector<Stream*> ready;
    std::copy_if(streams.begin(), streams.end(), std::back_inserter(ready), runnable);
    if (ready.empty()) {
      return;
    }
    step(ready[next() % ready.size()]);
  }
}

bool idle(int on) {
  return std::all_of(streams.begin(), streams.end(), [=](Stream* s) { return s->device != on || s->queue.empty(); });
}

int runUntilIdle(int on) {
  return runUntil(nullptr, on, [=] { return idle(on); });
}

// What the attention kernels compute, with vectors instead of emulated threads: some hundred times faster.
bool quick = false;

bool quickly(const std::string& kernel, const std::vector<uint64_t>& a) {
  const size_t suffix = kernel.find('_');
  if (!quick || kernel.compare(0, 9, "attention") != 0 || suffix == std::string::npos) {
    return false;
  }
  const std::string name = kernel.substr(suffix + 1);
  const Type type = name == "f32" ? Type::F32 : name == "f16" ? Type::F16 : Type::BF16;
  const auto heads = [&](int pointer, int stride) {
    return Heads{reinterpret_cast<void*>(a[pointer]), static_cast<int64_t>(a[stride]), static_cast<int64_t>(a[stride + 1])};
  };
  float scale;
  std::memcpy(&scale, &a[10], 4);
  attend(type, heads(0, 12), heads(1, 14), heads(2, 16), heads(3, 18), a[4], a[7], a[5], a[6], a[8], a[9], scale, a[11] != 0);
  return true;
}

size_t rounded(size_t bytes) { return (bytes + ROUND - 1) / ROUND * ROUND; }

} // namespace

uint64_t next() {
  dice ^= dice << 13;
  dice ^= dice >> 7;
  dice ^= dice << 17;
  return dice;
}

bool known(Stream* s) {
  if (streams.count(s) == 0) {
    report(s == nullptr ? "the default stream is used, which nothing orders" : "a stream is used that does not exist");
    return false;
  }
  return true;
}

bool known(Event* e) {
  if (events.count(e) == 0) {
    report("an event is used that does not exist");
    return false;
  }
  return true;
}

bool faulted() {
  if (allocationsToFault > 1) {
    allocationsToFault--;
    return false;
  }
  return allocationsToFault == 1;
}

std::shared_ptr<Event> shared(Event* event) { return events.at(event); }

void push(Stream* stream, Operation operation) {
  operation.issued = hostCalls();
  stream->queue.push_back(std::move(operation));
}

double bytesOf(const std::vector<Touch>& touches) {
  double sum = 0;
  for (const Touch& t : touches) {
    const auto* block = t.bytes == 1 ? find(t.start) : nullptr;
    sum += block == nullptr ? t.bytes : block->first + block->second.bytes - reinterpret_cast<uintptr_t>(t.start);
  }
  return sum;
}

int entered() {
  Lock lock(mutex);
  return sticky[device];
}

void report(const std::string& what) {
  Lock lock(mutex);
  if (reports.size() < 4000) {
    reports += what + "\n";
  }
}

namespace {

int give(Stream* stream, Work work) {
  Lock lock(mutex);
  if (!known(stream)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    return record(stream, std::move(work));
  }
  Operation o{};
  o.kind = Operation::WORK;
  o.work = std::move(work);
  push(stream, std::move(o));
  return SUCCESS;
}

} // namespace

int enqueue(Stream* stream, const char* what, std::vector<Touch> touches, std::function<int()> run, Cost cost, bool anyDevice) {
  return give(stream, Work{what, std::move(touches), std::move(run), cost, anyDevice, nullptr});
}

int enqueueMeeting(Stream* stream, const char* what, std::vector<Touch> touches, std::function<Done()> begin, Cost cost) {
  return give(stream, Work{what, std::move(touches), nullptr, cost, false, std::move(begin)});
}

bool mayTouch(const char* what, const Touch& touch) {
  Lock lock(mutex);
  return allowed(what, touch, -1);
}

int deviceOf(Stream* stream) {
  Lock lock(mutex);
  return known(stream) ? stream->device : -1;
}

unsigned below(unsigned n) {
  Lock lock(mutex);
  return next() % n;
}

Order& orderFor(int rank) { return orders[rank]; }

bool busy(const std::set<Stream*>& which) {
  Lock lock(mutex);
  const auto waits = [](const Operation& o) { return o.kind == Operation::WORK || o.kind == Operation::GRAPH; };
  return std::any_of(which.begin(), which.end(), [&](Stream* s) {
    return streams.count(s) != 0 && sticky[s->device] == SUCCESS && std::any_of(s->queue.begin(), s->queue.end(), waits);
  });
}

int streamCreate(Stream** stream) {
  Lock lock(mutex);
  *stream = new Stream();
  (*stream)->device = device;
  (*stream)->number = ++streamNumbers;
  streams.insert(*stream);
  return SUCCESS;
}

int streamDestroy(Stream* stream) {
  Lock lock(mutex);
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  forgetCaptures(stream);
  runUntil(stream, stream->device, [&] { return stream->queue.empty(); });
  streams.erase(stream);
  delete stream;
  return SUCCESS;
}

int streamSynchronize(Stream* stream) {
  Lock lock(mutex);
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    return lose(stream, CAPTURE_UNSUPPORTED);
  }
  const int status = runUntil(stream, stream->device, [&] { return stream->queue.empty(); });
  hostWaited(stream->now);
  return status;
}

int deviceSynchronize() {
  Lock lock(mutex);
  const int status = runUntilIdle(device);
  for (Stream* s : streams) {
    if (s->device == device) {
      hostWaited(s->now);
    }
  }
  return status;
}

int streamWait(Stream* stream, Event* event) {
  Lock lock(mutex);
  if (!known(stream) || !known(event)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  int status = SUCCESS;
  if (!waitInCapture(stream, event, &status)) {
    Operation o{};
    o.kind = Operation::WAIT;
    o.event = shared(event);
    o.version = event->recorded;
    push(stream, std::move(o));
  }
  return status;
}

int eventCreate(Event** event) {
  Lock lock(mutex);
  auto made = std::make_shared<Event>();
  made->device = device;
  *event = made.get();
  events[made.get()] = made;
  return SUCCESS;
}

int eventDestroy(Event* event) {
  Lock lock(mutex);
  if (!known(event)) {
    return INVALID_HANDLE;
  }
  events.erase(event);
  return SUCCESS;
}

int eventRecord(Event* event, Stream* stream) {
  Lock lock(mutex);
  if (!known(stream) || !known(event)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  if (event->device != stream->device) {
    report("an event of device " + std::to_string(event->device) + " is recorded on device " + std::to_string(stream->device));
    return INVALID_HANDLE;
  }
  int status = SUCCESS;
  if (!recordInCapture(event, stream, &status)) {
    Operation o{};
    o.kind = Operation::RECORD;
    o.event = shared(event);
    o.version = ++event->recorded;
    push(stream, std::move(o));
  }
  return status;
}

int eventSynchronize(Event* event) {
  Lock lock(mutex);
  if (!known(event)) {
    return INVALID_HANDLE;
  }
  if (event->capture != nullptr) {
    return CAPTURED_EVENT;
  }
  const uint64_t version = event->recorded;
  const int status = runUntil(nullptr, event->device, [&] { return event->completed >= version; });
  hostWaited(event->time);
  return status;
}

int eventQuery(Event* event) {
  Lock lock(mutex);
  if (!known(event)) {
    return INVALID_HANDLE;
  }
  if (event->capture != nullptr) {
    return CAPTURED_EVENT;
  }
  runSome(next() % 16);
  return event->completed >= event->recorded || sticky[event->device] != SUCCESS ? sticky[event->device] : NOT_READY;
}

int memoryInfo(size_t* free, size_t* all) {
  Lock lock(mutex);
  *all = total;
  *free = total - used;
  return SUCCESS;
}

int allocate(void** address, size_t bytes) {
  Lock lock(mutex);
  const size_t cost = rounded(bytes);
  if (faulted() || used + cost > total) {
    return OUT_OF_MEMORY;
  }
  Block b{bytes, 0, false, true, false, nullptr, device};
  *address = map(bytes, b);
  if (*address == nullptr) {
    return OUT_OF_MEMORY;
  }
  used += cost;
  blocks[reinterpret_cast<uintptr_t>(*address)] = b;
  return SUCCESS;
}

int release(void* address) {
  Lock lock(mutex);
  if (address == nullptr) {
    return SUCCESS;
  }
  auto found = blocks.find(reinterpret_cast<uintptr_t>(address));
  if (found == blocks.end() || found->second.host || found->second.pool != nullptr || found->second.dying) {
    report("cudaFree of " + describe(address));
    return INVALID_VALUE;
  }
  runUntilIdle(found->second.device);
  used -= rounded(found->second.bytes);
  bury(found->first);
  return SUCCESS;
}

int hostAllocate(void** address, size_t bytes) {
  Lock lock(mutex);
  Block b{bytes, 0, true, true, false, nullptr, device};
  *address = map(bytes, b);
  if (*address == nullptr) {
    return OUT_OF_MEMORY;
  }
  blocks[reinterpret_cast<uintptr_t>(*address)] = b;
  return SUCCESS;
}

int hostRelease(void* address) {
  Lock lock(mutex);
  auto found = blocks.find(reinterpret_cast<uintptr_t>(address));
  if (found == blocks.end() || !found->second.host) {
    report("cudaFreeHost of " + describe(address));
    return INVALID_VALUE;
  }
  runUntilIdle(found->second.device);
  bury(found->first);
  return SUCCESS;
}

int poolCreate(Pool** pool) {
  Lock lock(mutex);
  *pool = new Pool{device};
  pools.insert(*pool);
  return SUCCESS;
}

int poolDestroy(Pool* pool) {
  Lock lock(mutex);
  if (pools.erase(pool) == 0) {
    report("a memory pool is destroyed that does not exist");
    return INVALID_VALUE;
  }
  used -= pool->reserved;
  for (const auto& [address, b] : blocks) {
    if (b.pool == pool && !b.dying) {
      report("a memory pool is destroyed with an allocation of " + std::to_string(b.bytes) + " bytes in it");
    }
  }
  runUntilIdle(pool->device);
  delete pool;
  return SUCCESS;
}

int poolTrim(Pool* pool, size_t keep) {
  Lock lock(mutex);
  const uint64_t after = std::max<uint64_t>(pool->used, std::min<uint64_t>(keep, pool->reserved));
  used -= pool->reserved - after;
  pool->reserved = after;
  return SUCCESS;
}

uint64_t poolReserved(Pool* pool) {
  Lock lock(mutex);
  return pool->reserved;
}

uint64_t poolUsed(Pool* pool) {
  Lock lock(mutex);
  return pool->used;
}

int allocateAsync(void** address, size_t bytes, Pool* pool, Stream* stream) {
  Lock lock(mutex);
  if (!known(stream) || pools.count(pool) == 0) {
    return INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    return lose(stream, NOT_SUPPORTED); // memory of graphs: not simulated
  }
  const uint64_t cost = rounded(bytes);
  const uint64_t kept = pool->reserved - pool->used;
  const uint64_t more = cost > kept ? cost - kept : 0;
  if (faulted() || used + more > total) {
    return OUT_OF_MEMORY;
  }
  Block b{bytes, 0, false, false, false, pool, pool->device};
  *address = map(bytes, b);
  if (*address == nullptr) {
    return OUT_OF_MEMORY;
  }
  used += more;
  pool->reserved += more;
  pool->used += cost;
  blocks[reinterpret_cast<uintptr_t>(*address)] = b;
  Operation o{};
  o.kind = Operation::BIRTH;
  o.address = *address;
  push(stream, std::move(o));
  return SUCCESS;
}

int releaseAsync(void* address, Stream* stream) {
  Lock lock(mutex);
  auto found = blocks.find(reinterpret_cast<uintptr_t>(address));
  if (found == blocks.end() || found->second.pool == nullptr || found->second.dying) {
    report("cudaFreeAsync of " + describe(address));
    return INVALID_VALUE;
  }
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    report("cudaFreeAsync, during a capture, of memory that is not the graph's");
    return lose(stream, INVALID_VALUE);
  }
  found->second.dying = true;
  found->second.pool->used -= rounded(found->second.bytes);
  Operation o{};
  o.kind = Operation::DEATH;
  o.address = address;
  push(stream, std::move(o));
  return SUCCESS;
}

int kindOf(const void* address) {
  Lock lock(mutex);
  const auto* block = find(address);
  return block == nullptr ? 0 : block->second.host ? 2 : 1;
}

int deviceCount() { return devices; }

int setDevice(int d) {
  if (d < 0 || d >= devices || d >= MOST_DEVICES) {
    return INVALID_DEVICE;
  }
  device = d;
  return SUCCESS;
}

int currentDevice() { return device; }

int launch(Stream* stream, const char* kernel, const unsigned* grid, const unsigned* block, size_t shared, void** params) {
  Lock lock(mutex);
  if (known(stream) && stream->device != device) {
    report(std::string("kernel ") + kernel + " is launched for a stream of another device than the thread's");
    return INVALID_HANDLE;
  }
  if (launchesToRefuse > 0 && --launchesToRefuse == 0) {
    return 701; // too many resources requested
  }
  auto found = signatures.find(kernel);
  if (emulate == nullptr || found == signatures.end()) {
    report(std::string("kernel ") + kernel + " has no emulation");
    return NOT_FOUND;
  }
  const std::string& kinds = found->second;
  auto values = std::make_shared<std::vector<uint64_t>>(kinds.size());
  std::vector<Touch> touches;
  for (size_t i = 0; i < kinds.size(); i++) {
    std::memcpy(&(*values)[i], params[i], kinds[i] == '4' ? 4 : 8);
    if (kinds[i] == 'p' && (*values)[i] != 0) {
      touches.push_back(Touch{reinterpret_cast<void*>((*values)[i]), 1});
    }
  }
  counts[COUNT_KERNELS]++;
  const bool fails = launchesToFail > 0 && --launchesToFail == 0;
  const std::vector<unsigned> g(grid, grid + 3);
  const std::vector<unsigned> b(block, block + 3);
  Cost cost;
  if (found->first.compare(0, 9, "attention") == 0) {
    const std::vector<uint64_t>& a = *values; // batch, queries, keys, heads, widths of keys and values
    cost.flops = 2.0 * a[4] * a[5] * a[6] * a[7] * (a[8] + a[9]);
  }
  const auto run = [=]() -> int {
    if (fails) {
      return LAUNCH_FAILURE;
    }
    if (quickly(found->first, *values)) {
      return SUCCESS;
    }
    std::vector<void*> addresses;
    for (uint64_t& v : *values) {
      addresses.push_back(&v);
    }
    if (emulate(found->first.c_str(), g[0], g[1], g[2], b[0], b[1], b[2], shared, addresses.data()) != 0) {
      report(found->first + ": " + emulationFailure());
      return LAUNCH_FAILURE;
    }
    return SUCCESS;
  };
  return enqueue(stream, found->first.c_str(), touches, run, cost);
}

void counted(const char* kind, int change) {
  Lock lock(mutex);
  objects[kind] += change;
}

} // namespace standin

using namespace standin;

// --- what tests call ---

EXPORT int standin_use_emulation(const char* path) {
  Lock lock(mutex);
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    report(dlerror());
    return 1;
  }
  emulate = reinterpret_cast<decltype(emulate)>(dlsym(library, "emu_launch"));
  emulationFailure = reinterpret_cast<decltype(emulationFailure)>(dlsym(library, "emu_failure"));
  return emulate == nullptr || emulationFailure == nullptr;
}

// Arguments of a kernel: p an address, 4 and 8 numbers of so many bytes.
EXPORT void standin_signature(const char* kernel, const char* kinds) {
  Lock lock(mutex);
  signatures[kernel] = kinds;
}

// Lets kernels of attention be computed without emulating their threads.
EXPORT void standin_quick(int on) { quick = on != 0; }

// Begins the schedule that belongs to a seed.
EXPORT void standin_seed(unsigned long long value) {
  Lock lock(mutex);
  seed = value;
  dice = value * 2654435769u + 88172645463325252ull;
}

// Forgets errors and orders for faults; memory and handles stay.
EXPORT void standin_reset() {
  Lock lock(mutex);
  std::fill(sticky, sticky + MOST_DEVICES, 0);
  orders.clear();
  quick = false;
  reports.clear();
  allocationsToFault = launchesToRefuse = launchesToFail = 0;
  refusals = 0;
  total = 6ull << 30;
  devices = 1;
  driverVersion = runtimeVersion = 13010;
  cudnnVersion = 91900;
  cublasVersion = 130200;
  ncclVersion = 22903;
  orderCaptureFault(0);
  resetClock();
  std::fill(counts, counts + COUNTS, 0);
  standin_seed(1);
}

// Forgets all memory and handles, too: what a test that failed has left behind is not the next one's.
EXPORT void standin_clear() {
  Lock lock(mutex);
  standin_reset();
  for (Stream* s : streams) {
    s->queue.clear();
  }
  while (!blocks.empty()) {
    bury(blocks.begin()->first);
  }
  streams.clear(); // handles stay allocated, so that no new one is taken for an old one
  events.clear();
  pools.clear();
  objects.clear();
  used = 0;
  reports.clear();
}

// What callers did wrong since it was last asked, one a line.
EXPORT const char* standin_reports() {
  Lock lock(mutex);
  answer = reports;
  reports.clear();
  return answer.c_str();
}

// What has not been freed, one kind a line.
EXPORT const char* standin_leaks() {
  Lock lock(mutex);
  for (int d = 0; d < MOST_DEVICES; d++) {
    runUntilIdle(d);
  }
  answer.clear();
  uint64_t bytes = 0;
  size_t host = 0;
  for (const auto& [address, b] : blocks) {
    bytes += b.bytes;
    host += b.host;
  }
  if (!blocks.empty()) {
    answer += std::to_string(blocks.size()) + " allocations of " + std::to_string(bytes) + " bytes, " + std::to_string(host) + " of them on the host\n";
  }
  if (!streams.empty()) {
    answer += std::to_string(streams.size()) + " streams\n";
  }
  if (!events.empty()) {
    answer += std::to_string(events.size()) + " events\n";
  }
  if (!pools.empty()) {
    answer += std::to_string(pools.size()) + " memory pools\n";
  }
  for (const auto& [kind, n] : objects) {
    if (n != 0) {
      answer += std::to_string(n) + " " + kind + "\n";
    }
  }
  return answer.c_str();
}

// Gives the device so much memory that this is free of it now; returns how much it has then.
EXPORT unsigned long long standin_leave_free(unsigned long long bytes) {
  Lock lock(mutex);
  total = used + bytes;
  return total;
}

EXPORT void standin_devices(int n) { devices = n; }

// The n-th allocation of device memory from now on and all after it find none; 0: each finds some.
EXPORT void standin_fail_allocation(long n) { allocationsToFault = n; }

// The n-th launch from now on is refused.
EXPORT void standin_refuse_launch(long n) { launchesToRefuse = n; }

// The n-th launch from now on is taken and fails when it runs.
EXPORT void standin_fail_launch(long n) { launchesToFail = n; }

EXPORT void standin_refuse(int what) { refusals = what; }

EXPORT void standin_nccl_version(int version) { ncclVersion = version; }

// The n-th operation that a rank of NCCL posts from now on fails (1), or never ends (2).
EXPORT void standin_nccl(int rank, int kind, long n) {
  Lock lock(mutex);
  orders[rank] = Order{kind, n};
}

EXPORT void standin_versions(int driver, int runtime, long cublas, long cudnn) {
  driverVersion = driver;
  runtimeVersion = runtime;
  cublasVersion = cublas;
  cudnnVersion = cudnn;
}

EXPORT long standin_count(int what) { return counts[what]; }
