// What the kernels need of the device's compiler: kernel declarations, shared memory and 16-bit types. Tests put a header of their own in its
// place, which maps the same names to the CPU. Neither NVRTC nor Maven's jars bring the toolkit's cuda_fp16.h, so conversions are PTX.

// Declares a kernel whose threads don't wait for each other: name, threads of a block, arguments in parentheses.
#define KERNEL(name, threads, arguments) extern "C" __global__ void __launch_bounds__(threads) KERNEL_NAME(name) arguments
// Declares a kernel that uses shared memory, barriers or shuffles.
#define BLOCK_KERNEL(name, threads, arguments) KERNEL(name, threads, arguments)
// math.h's, which NVRTC lacks.
#define INFINITY __int_as_float(0x7f800000)
// Marks a pointer argument that may be null.
#define NULLABLE
#define DEVICE static __device__ __forceinline__
// Before a loop that is worth unrolling.
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(n) UNROLL_BY_(unroll n)
#define UNROLL_BY_(text) _Pragma(#text)
#define SHARED(type, name, count) __shared__ type name[count]

// The IEEE half-precision number of torch.float16.
struct alignas(2) Half {
  unsigned short bits;
};

// The upper half of a float, torch.bfloat16.
struct alignas(2) BFloat {
  unsigned short bits;
};

DEVICE float toFloat(float x) { return x; }

DEVICE float toFloat(Half x) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(x.bits));
  return f;
}

DEVICE float toFloat(BFloat x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }

DEVICE void narrow(float f, float& to) { to = f; }

DEVICE void narrow(float f, Half& to) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(f)); }

DEVICE void narrow(float f, BFloat& to) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(f)); }
