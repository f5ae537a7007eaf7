// What kernels share. T is the type of activations: float, Half or BFloat.

// Activation.ordinal()
enum Activation { NONE, SILU, GELU, GELU_TANH, QUICK_GELU, RELU };

DEVICE float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }

DEVICE float activated(float x, int activation) {
  switch (activation) {
    case SILU:
      return x / (1.0f + expf(-x));
    case GELU:
      return gelu(x);
    case GELU_TANH:
      return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case QUICK_GELU:
      return x / (1.0f + expf(-1.702f * x));
    case RELU:
      return x < 0.0f ? 0.0f : x; // NaN stays NaN
    default:
      return x;
  }
}

// This thread among all of the grid, and their number: kernels stride over their work by it, so that any grid is right.
DEVICE long long firstIndex() { return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; }

DEVICE long long indexStep() { return static_cast<long long>(gridDim.x) * blockDim.x; }

struct Division {
  long long quotient;
  long long remainder;
};

// Divides an index; 64-bit division is many times slower than 32-bit, and rarely needed.
DEVICE Division divide(long long i, long long by) {
  if (((i | by) >> 32) == 0) {
    unsigned q = static_cast<unsigned>(i) / static_cast<unsigned>(by);
    return {q, static_cast<unsigned>(i) - q * static_cast<unsigned>(by)};
  }
  long long q = i / by;
  return {q, i - q * by};
}

// Where row r of [batch, rowsPerBatch] begins.
DEVICE long long rowAt(long long row, long long rowsPerBatch, long long batchStride, long long rowStride) {
  Division d = divide(row, rowsPerBatch);
  return d.quotient * batchStride + d.remainder * rowStride;
}

// V neighbours, moved as one piece of memory.
template <typename E, int V>
struct alignas(V * sizeof(E)) Pack {
  E at[V];
};

// Elements that a thread moves at once: 16 bytes.
template <typename E>
struct Width {
  static constexpr int value = 16 / sizeof(E);
};

template <int V, typename E>
DEVICE void load(const E* from, float (&to)[V]) {
  Pack<E, V> p = *reinterpret_cast<const Pack<E, V>*>(from);
  UNROLL
  for (int i = 0; i < V; i++) {
    to[i] = toFloat(p.at[i]);
  }
}

template <int V, typename E>
DEVICE void store(const float (&from)[V], E* to) {
  Pack<E, V> p;
  UNROLL
  for (int i = 0; i < V; i++) {
    narrow(from[i], p.at[i]);
  }
  *reinterpret_cast<Pack<E, V>*>(to) = p;
}

// Whether V elements at a time may be read from here; null counts as yes.
template <int V, typename E>
DEVICE bool packed(const E* p) {
  return (reinterpret_cast<unsigned long long>(p) % (V * sizeof(E))) == 0;
}

// Whether strides and sizes are multiples of V.
template <int V>
DEVICE bool whole(long long a, long long b = 0, long long c = 0, long long d = 0, long long e = 0, long long f = 0, long long g = 0) {
  return ((a | b | c | d | e | f | g) & (V - 1)) == 0;
}

// Sum over a warp, in every lane.
DEVICE float warpSum(float x) {
  UNROLL
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, lanes);
  }
  return x;
}
