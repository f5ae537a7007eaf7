// Products of matrices of the three types on the CPU, nearer to exact than floats hold.
#ifndef STANDIN_MATH_HPP
#define STANDIN_MATH_HPP

#include <cstddef>
#include <cstdint>

namespace standin {

enum class Type { F32, F16, BF16 };

inline size_t width(Type t) { return t == Type::F32 ? 4 : 2; }

// Elements as floats.
void widen(Type type, const void* from, float* to, size_t n);
// Floats as elements, to nearest even.
void narrow(Type type, const float* from, void* to, size_t n);

// Rows of floats that a product asks for: fills `to` with row r, columns [from, from + n).
struct Rows {
  virtual ~Rows() = default;
  virtual void read(size_t r, size_t from, size_t n, float* to) const = 0;
};

// A matrix in memory.
struct Matrix : Rows {
  Type type;
  const void* data;
  int64_t stride; // between rows, in elements
  Matrix(Type type, const void* data, int64_t stride) : type(type), data(data), stride(stride) {}
  void read(size_t r, size_t from, size_t n, float* to) const override;
};

// c[m][n] (dense) = sum over k of a[m][k] * b[n][k].
void product(const Rows& a, const Rows& b, size_t m, size_t n, size_t k, float* c);

// A tensor [batch][rows][heads][width] whose heads are adjacent; strides in elements.
struct Heads {
  const void* data;
  int64_t batchStride;
  int64_t rowStride;
};

// out = softmax(q k^T * scale) v of every batch and head; causal: each query sees keys up to its own index.
void attend(Type type, const Heads& q, const Heads& k, const Heads& v, const Heads& out, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
            int64_t width, int64_t valueWidth, float scale, bool causal);

} // namespace standin

#endif
