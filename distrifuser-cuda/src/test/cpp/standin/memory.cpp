// Memory: of devices, in order and in the order of streams, and pinned memory of the host.
#include "queue.hpp"

#include <sys/mman.h>
#include <algorithm>
#include <cstring>
#include <map>

namespace standin {

struct Pool {
  int device;
  uint64_t reserved = 0;
  uint64_t used = 0;
};

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
std::set<Pool*> pools;
uint64_t total = 6ull << 30;
uint64_t used = 0;
long allocationsToFault = 0; // 1: the next and all after it fail

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

size_t rounded(size_t bytes) { return (bytes + ROUND - 1) / ROUND * ROUND; }

} // namespace

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

void born(void* address) { blocks.at(reinterpret_cast<uintptr_t>(address)).born = true; }

void died(void* address) { bury(reinterpret_cast<uintptr_t>(address)); }

bool faulted() {
  if (allocationsToFault > 1) {
    allocationsToFault--;
    return false;
  }
  return allocationsToFault == 1;
}

double bytesOf(const std::vector<Touch>& touches) {
  double sum = 0;
  for (const Touch& t : touches) {
    const auto* block = t.bytes == 1 ? find(t.start) : nullptr;
    sum += block == nullptr ? t.bytes : block->first + block->second.bytes - reinterpret_cast<uintptr_t>(t.start);
  }
  return sum;
}

bool mayTouch(const char* what, const Touch& touch) {
  Lock lock(mutex);
  return allowed(what, touch, -1);
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
  Block b{bytes, 0, false, true, false, nullptr, currentDevice()};
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
  Block b{bytes, 0, true, true, false, nullptr, currentDevice()};
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
  *pool = new Pool{currentDevice()};
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

void resetMemory() {
  allocationsToFault = 0;
  total = 6ull << 30;
}

void clearMemory() {
  while (!blocks.empty()) {
    bury(blocks.begin()->first);
  }
  pools.clear();
  used = 0;
}

std::string heldMemory() {
  std::string answer;
  uint64_t bytes = 0;
  size_t host = 0;
  for (const auto& [address, b] : blocks) {
    bytes += b.bytes;
    host += b.host;
  }
  if (!blocks.empty()) {
    answer += std::to_string(blocks.size()) + " allocations of " + std::to_string(bytes) + " bytes, " + std::to_string(host) + " of them on the host\n";
  }
  if (!pools.empty()) {
    answer += std::to_string(pools.size()) + " memory pools\n";
  }
  return answer;
}

} // namespace standin

using namespace standin;

// Gives the device so much memory that this is free of it now; returns how much it has then.
EXPORT unsigned long long standin_leave_free(unsigned long long bytes) {
  Lock lock(mutex);
  total = used + bytes;
  return total;
}

// The n-th allocation of device memory from now on and all after it find none; 0: each finds some.
EXPORT void standin_fail_allocation(long n) { allocationsToFault = n; }
