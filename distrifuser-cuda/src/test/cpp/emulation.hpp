// Lets a C++17 compiler for the CPU build the kernels' sources: the names that device.cuh defines for CUDA's compiler, and CUDA's own. A unit
// includes this, then common.cuh, then a source.
//
// A kernel without barriers or shuffles runs its threads one after another in a loop. One with them runs each thread of a block as a fiber, which
// gives way wherever it waits for others (see emulation.cpp); blocks run one after another.
#ifndef EMULATION_HPP
#define EMULATION_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>
#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace emulation {

struct Dim {
  unsigned x, y, z;
};

// Where the running thread is. One for each thread of the host, so that launches may run side by side. Kept small: it is in the static TLS block,
// of which libraries that are loaded late get little.
struct Place {
  Dim thread, block, blockSize, gridSize;
  bool cooperative;
};

extern thread_local Place place __attribute__((tls_model("initial-exec")));

struct Kernel {
  const char* name;
  unsigned threads;
  bool cooperative;
  void (*function)();
  // Calls the function for threads [0, threads) of the block at hand.
  void (*loop)(void (*function)(), void** arguments);
  // Calls it for the thread at hand.
  void (*call)(void (*function)(), void** arguments);
  const Kernel* next;
};

void add(Kernel* kernel);

template <typename... A, size_t... I>
void callOnce(void (*function)(A...), void** arguments, std::index_sequence<I...>) {
  function(*static_cast<A*>(arguments[I])...);
}

template <typename... A>
void call(void (*function)(), void** arguments) {
  callOnce(reinterpret_cast<void (*)(A...)>(function), arguments, std::index_sequence_for<A...>());
}

template <typename... A, size_t... I>
void callAll(void (*function)(A...), void** arguments, std::index_sequence<I...>) {
  const std::tuple<A...> a(*static_cast<A*>(arguments[I])...);
  for (unsigned t = 0; t < place.blockSize.x; t++) {
    place.thread.x = t;
    function(std::get<I>(a)...);
  }
}

template <typename... A>
void loop(void (*function)(), void** arguments) {
  callAll(reinterpret_cast<void (*)(A...)>(function), arguments, std::index_sequence_for<A...>());
}

struct Registration {
  Kernel kernel;

  template <typename... A>
  Registration(const char* name, unsigned threads, bool cooperative, void (*function)(A...))
      : kernel{name, threads, cooperative, reinterpret_cast<void (*)()>(function), &loop<A...>, &emulation::call<A...>, nullptr} {
    add(&kernel);
  }
};

void blockBarrier();
float exchange(float value, unsigned lane);
// The block's shared memory for the declaration that the key belongs to. Not thread-local arrays: those would make the library's static TLS too large
// for dlopen.
void* shared(const void* key, size_t bytes);

} // namespace emulation

#define EMULATION_KERNEL_(symbol, threads, cooperative, arguments)                                           \
  extern "C" void symbol arguments;                                                                          \
  static emulation::Registration registration_##symbol(#symbol, threads, cooperative, &symbol);              \
  extern "C" void symbol arguments
#define EMULATION_KERNEL(symbol, threads, cooperative, arguments) EMULATION_KERNEL_(symbol, threads, cooperative, arguments)
#define KERNEL(name, threads, arguments) EMULATION_KERNEL(KERNEL_NAME(name), threads, false, arguments)
#define BLOCK_KERNEL(name, threads, arguments) EMULATION_KERNEL(KERNEL_NAME(name), threads, true, arguments)
#define NULLABLE
#define UNROLL
#define UNROLL_BY(n)
#define DEVICE static inline __attribute__((unused))
#define SHARED(type, name, count)       \
  static const char name##Key = 0;      \
  type* const name = static_cast<type*>(emulation::shared(&name##Key, sizeof(type) * (count)))

#define threadIdx emulation::place.thread
#define blockIdx emulation::place.block
#define blockDim emulation::place.blockSize
#define gridDim emulation::place.gridSize

DEVICE void __syncthreads() { emulation::blockBarrier(); }

DEVICE float __shfl_xor_sync(unsigned, float value, int lanes) { return emulation::exchange(value, (threadIdx.x % 32) ^ static_cast<unsigned>(lanes)); }

DEVICE float rsqrtf(float x) { return 1.0f / std::sqrt(x); }

struct alignas(2) Half {
  unsigned short bits;
};

struct alignas(2) BFloat {
  unsigned short bits;
};

DEVICE uint32_t bitsOf(float f) {
  uint32_t i;
  std::memcpy(&i, &f, sizeof(i));
  return i;
}

DEVICE float floatOf(uint32_t i) {
  float f;
  std::memcpy(&f, &i, sizeof(f));
  return f;
}

DEVICE float toFloat(float x) { return x; }

DEVICE float toFloat(BFloat x) { return floatOf(static_cast<uint32_t>(x.bits) << 16); }

DEVICE void narrow(float f, float& to) { to = f; }

// To nearest, ties to even; NaN stays NaN.
DEVICE void narrow(float f, BFloat& to) {
  const uint32_t i = bitsOf(f);
  to.bits = static_cast<unsigned short>(f != f ? (i >> 16) | 0x40 : (i + 0x7fff + ((i >> 16) & 1)) >> 16);
}

#if defined(__F16C__)
DEVICE float toFloat(Half x) { return _cvtsh_ss(x.bits); }

DEVICE void narrow(float f, Half& to) { to.bits = _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT); }
#else
DEVICE float toFloat(Half x) {
  const uint32_t sign = (x.bits & 0x8000u) << 16;
  const uint32_t rest = x.bits & 0x7fffu;
  if (rest >= 0x7c00) { // infinity and NaN
    return floatOf(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  }
  if (rest < 0x400) { // below the smallest normal number: multiples of 2^-24
    const float f = static_cast<float>(rest) * 0x1p-24f;
    return sign == 0 ? f : -f;
  }
  return floatOf(sign | ((rest << 13) + (112u << 23)));
}

DEVICE void narrow(float f, Half& to) {
  const uint32_t i = bitsOf(f);
  const uint32_t rest = i & 0x7fffffff;
  uint32_t bits;
  if (rest > 0x7f800000) {
    bits = 0x7e00;
  } else if (rest >= 0x477ff000) { // 65520 and more round to infinity
    bits = 0x7c00;
  } else if (rest >= 0x38800000) {
    bits = (rest - (112u << 23) + 0xfff + ((rest >> 13) & 1)) >> 13;
  } else {
    // Adding 0.5 leaves multiples of 2^-24 in the low bits, rounded as the sum of floats is: to nearest even.
    bits = bitsOf(floatOf(rest) + 0.5f) - bitsOf(0.5f);
  }
  to.bits = static_cast<unsigned short>((i >> 16 & 0x8000u) | bits);
}
#endif

#endif
