// All sources of one type of activations: -DEMULATED_F32, _F16, _BF16 or _UNTYPED says which.
#include "emulation.hpp"
#if defined(EMULATED_F32)
#define T float
#define KERNEL_NAME(name) name##_f32
#elif defined(EMULATED_F16)
#define T Half
#define KERNEL_NAME(name) name##_f16
#elif defined(EMULATED_BF16)
#define T BFloat
#define KERNEL_NAME(name) name##_bf16
#else
#define KERNEL_NAME(name) name
#endif

#include "common.cuh"
#if defined(T)
#include "attention.cu"
#include "layout.cu"
#include "noise.cu"
#include "norm.cu"
#include "pointwise.cu"
#else
#include "untyped.cu"
#endif
