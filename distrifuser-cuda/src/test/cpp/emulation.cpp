// Runs emulated kernels: emu_launch finds one by name and runs its blocks in turn.
//
// Threads of a cooperative kernel are fibers on stacks of their own, which are kept for the next launch. They stand in a ring; one that waits, at a
// barrier or for its warp, switches to the next, and the last to arrive goes on. A switch saves the registers that calls preserve and nothing else.
#include "emulation.hpp"

#include <sys/mman.h>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define EMULATION_ASAN 1
#else
#define EMULATION_ASAN 0
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulation {

thread_local Place place;

namespace {

const Kernel* kernels = nullptr;
thread_local const char* failure = "";
bool backwards = false; // order in which threads of a block run

[[noreturn]] void die(const char* kernel, const char* why) {
  std::fprintf(stderr, "emulated kernel %s: %s\n", kernel, why);
  std::abort();
}

constexpr size_t STACK = EMULATION_ASAN ? 512 * 1024 : 64 * 1024;
constexpr unsigned MOST = 1024;
constexpr unsigned WARP = 32;

#if defined(__x86_64__)
using Context = void*; // stack pointer, the saved registers above it
extern "C" void emulation_switch(Context* from, Context to);
asm(R"(
.text
.p2align 4
.globl emulation_switch
.hidden emulation_switch
.type emulation_switch, @function
emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulation_switch, .-emulation_switch
)");

void prepare(Context& c, char* stack, void (*entry)()) {
  void** top = reinterpret_cast<void**>(stack + STACK);
  *--top = nullptr; // where entry would return to; it never does. The stack is 8 past a multiple of 16 there, as after a call.
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) {
    *--top = nullptr;
  }
  c = top;
}

void jump(Context& from, Context& to) { emulation_switch(&from, to); }
#else
using Context = ucontext_t;

void prepare(Context& c, char* stack, void (*entry)()) {
  getcontext(&c);
  c.uc_stack.ss_sp = stack;
  c.uc_stack.ss_size = STACK;
  c.uc_link = nullptr;
  makecontext(&c, entry, 0);
}

void jump(Context& from, Context& to) { swapcontext(&from, &to); }
#endif

struct Fiber {
  Context context;
  char* stack;
  Fiber* next; // in the ring of those that have not ended
  Fiber* previous;
  unsigned index;
  unsigned parity; // which of the warp's exchange buffers comes next
  void* fake; // AddressSanitizer's
};

struct Warp {
  float values[2][WARP];
  unsigned arrived;
  unsigned generation;
  unsigned lanes;
};

// Memory that a block's threads share, kept from block to block.
struct Shared {
  const void* key;
  void* memory;
  unsigned long long serial; // of the block that saw it last
};

// The block that a thread of the host runs.
struct Block {
  std::vector<Fiber> fibers;
  Warp warps[MOST / WARP];
  Context main;
  void* mainFake = nullptr;
  const void* mainStack = nullptr;
  size_t mainSize = 0;
  Fiber* running = nullptr;
  const Kernel* kernel = nullptr;
  void** arguments = nullptr;
  unsigned live = 0;
  unsigned arrived = 0;
  unsigned generation = 0;
  unsigned long long serial = 0; // of the block, counted over all launches
  std::vector<Shared> shared;

  ~Block() {
    for (Shared& s : shared) {
      std::free(s.memory);
    }
    for (Fiber& f : fibers) {
      munmap(f.stack - 4096, STACK + 4096);
    }
  }

  void grow(unsigned n) {
    while (fibers.size() < n) {
      void* p = mmap(nullptr, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED || mprotect(p, 4096, PROT_NONE) != 0) {
        die(kernel->name, "no memory for the stacks of its threads");
      }
      Fiber f{};
      f.stack = static_cast<char*>(p) + 4096;
      f.index = static_cast<unsigned>(fibers.size());
      fibers.push_back(f);
    }
  }
};

thread_local std::unique_ptr<Block> own;

void arrivedFrom(Block& b) {
#if EMULATION_ASAN
  const void* stack;
  size_t size;
  __sanitizer_finish_switch_fiber(b.running->fake, &stack, &size);
  if (b.mainStack == nullptr) {
    b.mainStack = stack;
    b.mainSize = size;
  }
#endif
  place.thread.x = b.running->index;
}

void switchTo(Block& b, Fiber* to) {
  Fiber* from = b.running;
  b.running = to;
#if EMULATION_ASAN
  __sanitizer_start_switch_fiber(&from->fake, to->stack, STACK);
#endif
  jump(from->context, to->context);
  arrivedFrom(b);
}

void entry() {
  Block& b = *own;
  arrivedFrom(b);
  Fiber* self = b.running;
  b.kernel->call(b.kernel->function, b.arguments);
  if (b.arrived != 0) {
    die(b.kernel->name, "a thread ended while others wait for it at a barrier");
  }
  Warp& w = b.warps[self->index / WARP];
  if (w.arrived != 0) {
    die(b.kernel->name, "a thread ended while its warp waits for it in a shuffle");
  }
  b.live--;
  w.lanes--;
  if (b.live == 0) {
#if EMULATION_ASAN
    __sanitizer_start_switch_fiber(nullptr, b.mainStack, b.mainSize);
#endif
    jump(self->context, b.main);
  } else {
    self->previous->next = self->next;
    self->next->previous = self->previous;
    b.running = self->next;
#if EMULATION_ASAN
    __sanitizer_start_switch_fiber(nullptr, b.running->stack, STACK);
#endif
    jump(self->context, b.running->context);
  }
  die(b.kernel->name, "an ended thread ran on");
}

void runBlock(Block& b) {
  const unsigned n = place.blockSize.x;
  for (unsigned i = 0; i < n; i++) {
    Fiber& f = b.fibers[i];
    Fiber* after = &b.fibers[(i + 1) % n];
    Fiber* before = &b.fibers[(i + n - 1) % n];
    f.next = backwards ? before : after;
    f.previous = backwards ? after : before;
    f.parity = 0;
    f.fake = nullptr;
    prepare(f.context, f.stack, &entry);
  }
  for (unsigned w = 0; w < n / WARP; w++) {
    b.warps[w].arrived = 0;
    b.warps[w].generation = 0;
    b.warps[w].lanes = WARP;
  }
  b.serial++;
  b.live = n;
  b.arrived = 0;
  b.mainStack = nullptr;
  b.running = &b.fibers[backwards ? n - 1 : 0];
#if EMULATION_ASAN
  __sanitizer_start_switch_fiber(&b.mainFake, b.running->stack, STACK);
#endif
  jump(b.main, b.running->context);
#if EMULATION_ASAN
  __sanitizer_finish_switch_fiber(b.mainFake, nullptr, nullptr);
#endif
}

const Kernel* find(const char* name) {
  for (const Kernel* k = kernels; k != nullptr; k = k->next) {
    if (std::strcmp(k->name, name) == 0) {
      return k;
    }
  }
  return nullptr;
}

} // namespace

void add(Kernel* kernel) {
  kernel->next = kernels;
  kernels = kernel;
}

void blockBarrier() {
  if (!place.cooperative) {
    die("without cooperation", "waits at a barrier: declare it with BLOCK_KERNEL");
  }
  Block& b = *own;
  if (++b.arrived == b.live) {
    b.arrived = 0;
    b.generation++;
    return;
  }
  const unsigned generation = b.generation;
  while (b.generation == generation) {
    switchTo(b, b.running->next);
  }
}

float exchange(float value, unsigned lane) {
  if (!place.cooperative) {
    die("without cooperation", "shuffles: declare it with BLOCK_KERNEL");
  }
  Block& b = *own;
  Fiber* self = b.running;
  Warp& w = b.warps[self->index / WARP];
  float* values = w.values[self->parity];
  self->parity ^= 1;
  values[self->index % WARP] = value;
  if (w.lanes != WARP) {
    die(b.kernel->name, "a shuffle of a whole warp, some lanes of which have ended");
  }
  if (++w.arrived == WARP) {
    w.arrived = 0;
    w.generation++;
  } else {
    const unsigned generation = w.generation;
    while (w.generation == generation) {
      switchTo(b, self->next);
    }
  }
  return values[lane];
}

void* shared(const void* key, size_t bytes) {
  if (!place.cooperative) {
    die("without cooperation", "has shared memory: declare it with BLOCK_KERNEL");
  }
  Block& b = *own;
  for (Shared& s : b.shared) {
    if (s.key == key) {
      if (EMULATION_ASAN && s.serial != b.serial) { // NaNs, so that what nobody wrote shows
        std::memset(s.memory, 0xff, bytes);
        s.serial = b.serial;
      }
      return s.memory;
    }
  }
  Shared s{key, nullptr, b.serial};
  if (posix_memalign(&s.memory, 64, bytes) != 0) {
    die(b.kernel->name, "no memory for the memory that its threads share");
  }
  std::memset(s.memory, 0xff, bytes);
  b.shared.push_back(s);
  return s.memory;
}

} // namespace emulation

#define EXPORT extern "C" __attribute__((visibility("default")))

// Runs a kernel to its end. 0, or what is wrong, which emu_failure explains: 1 an unknown kernel, 2 a shape that its kernels don't have. params
// are the addresses of the arguments, as for cuLaunchKernel. May be called from several threads at once.
EXPORT int emu_launch(const char* name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, size_t shared, void** params) {
  using namespace emulation;
  const Kernel* kernel = find(name);
  if (kernel == nullptr) {
    failure = "no such kernel";
    return 1;
  }
  if (gx == 0 || gx > 0x7fffffffu || gy != 1 || gz != 1 || bx != kernel->threads || by != 1 || bz != 1 || shared != 0) {
    failure = "kernels take grids of one dimension, blocks of the size that they are declared with and no dynamic shared memory";
    return 2;
  }
  place = Place{{0, 0, 0}, {0, 0, 0}, {bx, 1, 1}, {gx, 1, 1}, kernel->cooperative};
  if (kernel->cooperative) {
    if (!own) {
      own = std::make_unique<Block>();
    }
    own->kernel = kernel;
    own->arguments = params;
    own->grow(bx);
  }
  for (unsigned block = 0; block < gx; block++) {
    place.block.x = block;
    if (kernel->cooperative) {
      runBlock(*own);
    } else {
      kernel->loop(kernel->function, params);
    }
  }
  return 0;
}

// Why this thread's last emu_launch failed.
EXPORT const char* emu_failure() { return emulation::failure; }

// Threads of a block that the kernel is declared with, or 0 for an unknown kernel.
EXPORT unsigned emu_threads(const char* name) {
  const emulation::Kernel* kernel = emulation::find(name);
  return kernel == nullptr ? 0 : kernel->threads;
}

// Lets cooperative threads of a block run in the opposite order: what depends on it lacks a barrier.
EXPORT void emu_backwards(int on) { emulation::backwards = on != 0; }
