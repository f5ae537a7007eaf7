#include "math.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

// One definition of how numbers are rounded, the kernels' emulation's.
#include "../emulation.hpp"

namespace standin {

void widen(Type type, const void* from, float* to, size_t n) {
  if (type == Type::F32) {
    std::memcpy(to, from, 4 * n);
  } else if (type == Type::F16) {
    const Half* h = static_cast<const Half*>(from);
    for (size_t i = 0; i < n; i++) {
      to[i] = toFloat(h[i]);
    }
  } else {
    const BFloat* h = static_cast<const BFloat*>(from);
    for (size_t i = 0; i < n; i++) {
      to[i] = toFloat(h[i]);
    }
  }
}

void narrow(Type type, const float* from, void* to, size_t n) {
  if (type == Type::F32) {
    std::memcpy(to, from, 4 * n);
  } else if (type == Type::F16) {
    Half* h = static_cast<Half*>(to);
    for (size_t i = 0; i < n; i++) {
      ::narrow(from[i], h[i]);
    }
  } else {
    BFloat* h = static_cast<BFloat*>(to);
    for (size_t i = 0; i < n; i++) {
      ::narrow(from[i], h[i]);
    }
  }
}

void Matrix::read(size_t r, size_t from, size_t n, float* to) const {
  const int64_t at = static_cast<int64_t>(r) * stride + static_cast<int64_t>(from);
  widen(type, static_cast<const char*>(data) + at * static_cast<int64_t>(width(type)), to, n);
}

namespace {

typedef float Lanes __attribute__((vector_size(32), aligned(4)));
constexpr size_t ROWS = 6;
constexpr size_t COLUMNS = 16;
constexpr size_t DEPTH = 256; // products that are added in floats before they join the sum
constexpr size_t PANELS = 16; // of columns that are packed at once

// sums[6][16] = a[6][k] * b[k][16]
void tile(const float* a, const float* b, size_t k, float* sums) {
  Lanes c[ROWS][2] = {};
  for (size_t i = 0; i < k; i++) {
    const Lanes b0 = *reinterpret_cast<const Lanes*>(b + i * COLUMNS);
    const Lanes b1 = *reinterpret_cast<const Lanes*>(b + i * COLUMNS + 8);
#pragma GCC unroll 6
    for (size_t r = 0; r < ROWS; r++) {
      const float x = a[r * DEPTH + i];
      c[r][0] += x * b0;
      c[r][1] += x * b1;
    }
  }
  for (size_t r = 0; r < ROWS; r++) {
    *reinterpret_cast<Lanes*>(sums + r * COLUMNS) = c[r][0];
    *reinterpret_cast<Lanes*>(sums + r * COLUMNS + 8) = c[r][1];
  }
}

} // namespace

void product(const Rows& a, const Rows& b, size_t m, size_t n, size_t k, float* c) {
  std::fill(c, c + m * n, 0.0f);
  std::vector<float> packedA((m + ROWS - 1) / ROWS * ROWS * DEPTH);
  std::vector<float> packedB(PANELS * COLUMNS * DEPTH);
  std::vector<float> row(DEPTH);
  float sums[ROWS * COLUMNS];
  for (size_t k0 = 0; k0 < k; k0 += DEPTH) {
    const size_t depth = std::min(DEPTH, k - k0);
    for (size_t r = 0; r < m; r++) {
      a.read(r, k0, depth, packedA.data() + r * DEPTH);
    }
    for (size_t n0 = 0; n0 < n; n0 += PANELS * COLUMNS) {
      const size_t columns = std::min(PANELS * COLUMNS, n - n0);
      for (size_t j = 0; j < columns; j++) {
        b.read(n0 + j, k0, depth, row.data());
        float* to = packedB.data() + j / COLUMNS * COLUMNS * DEPTH + j % COLUMNS;
        for (size_t i = 0; i < depth; i++) {
          to[i * COLUMNS] = row[i];
        }
      }
      for (size_t r0 = 0; r0 < m; r0 += ROWS) {
        const size_t rows = std::min(ROWS, m - r0);
        for (size_t j0 = 0; j0 < columns; j0 += COLUMNS) {
          tile(packedA.data() + r0 * DEPTH, packedB.data() + j0 * DEPTH, depth, sums);
          const size_t width = std::min(COLUMNS, columns - j0);
          for (size_t r = 0; r < rows; r++) {
            float* to = c + (r0 + r) * n + n0 + j0;
            for (size_t j = 0; j < width; j++) {
              to[j] += sums[r * COLUMNS + j];
            }
          }
        }
      }
    }
  }
}

} // namespace standin
