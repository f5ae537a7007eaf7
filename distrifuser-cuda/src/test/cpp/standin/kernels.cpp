// Kernels, as the emulation library has them.
#include "queue.hpp"
#include "math.hpp"

#include <dlfcn.h>
#include <cstring>
#include <map>

namespace standin {

namespace {

std::map<std::string, std::string> signatures; // p pointer, 4 and 8 numbers of so many bytes
long launchesToRefuse = 0;
long launchesToFail = 0;
int (*emulate)(const char*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, size_t, void**) = nullptr;
const char* (*emulationFailure)() = nullptr;

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

} // namespace

int launch(Stream* stream, const char* kernel, const unsigned* grid, const unsigned* block, size_t shared, void** params) {
  Lock lock(mutex);
  if (known(stream) && stream->device != currentDevice()) {
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

void resetKernels() {
  quick = false;
  launchesToRefuse = launchesToFail = 0;
}

} // namespace standin

using namespace standin;

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

// The n-th launch from now on is refused.
EXPORT void standin_refuse_launch(long n) { launchesToRefuse = n; }

// The n-th launch from now on is taken and fails when it runs.
EXPORT void standin_fail_launch(long n) { launchesToFail = n; }
