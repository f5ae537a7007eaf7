#include "math.hpp"

#include <algorithm>
#include <cmath>
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
constexpr size_t SHORT = 32; // products that are added in floats before they join the sum, which is a double
constexpr size_t DEPTH = 256; // of what is packed at once
constexpr size_t PANELS = 16; // of columns that are packed at once

// sums[6][16] += a[6][k] * b[k][16]; k is at most SHORT.
void shortTile(const float* a, const float* b, size_t k, double* sums) {
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
  float floats[ROWS * COLUMNS];
  std::memcpy(floats, c, sizeof(floats));
  for (size_t i = 0; i < ROWS * COLUMNS; i++) {
    sums[i] += floats[i];
  }
}

} // namespace

void product(const Rows& a, const Rows& b, size_t m, size_t n, size_t k, float* c) {
  std::vector<double> all(m * n);
  std::vector<float> packedA((m + ROWS - 1) / ROWS * ROWS * DEPTH);
  std::vector<float> packedB(PANELS * COLUMNS * DEPTH);
  std::vector<float> row(DEPTH);
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
          double sums[ROWS * COLUMNS] = {};
          for (size_t i = 0; i < depth; i += SHORT) {
            shortTile(packedA.data() + r0 * DEPTH + i, packedB.data() + j0 * DEPTH + i * COLUMNS, std::min(SHORT, depth - i), sums);
          }
          const size_t width = std::min(COLUMNS, columns - j0);
          for (size_t r = 0; r < rows; r++) {
            double* to = all.data() + (r0 + r) * n + n0 + j0;
            for (size_t j = 0; j < width; j++) {
              to[j] += sums[r * COLUMNS + j];
            }
          }
        }
      }
    }
  }
  std::copy(all.begin(), all.end(), c);
}

void attend(Type type, const Heads& q, const Heads& k, const Heads& v, const Heads& out, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
            int64_t width, int64_t valueWidth, float scale, bool causal) {
  const size_t bytes = standin::width(type);
  const auto at = [=](const Heads& t, int64_t n, int64_t row, int64_t head, int64_t each) {
    return static_cast<const char*>(t.data) + (n * t.batchStride + row * t.rowStride + head * each) * static_cast<int64_t>(bytes);
  };
  constexpr int64_t BLOCK = 256;
  std::vector<float> turned(valueWidth * keys), row(valueWidth), scores(BLOCK * keys), result(BLOCK * valueWidth);
  float sums[BLOCK];
  for (int64_t n = 0; n < batch; n++) {
    for (int64_t h = 0; h < heads; h++) {
      for (int64_t j = 0; j < keys; j++) {
        widen(type, at(v, n, j, h, valueWidth), row.data(), valueWidth);
        for (int64_t i = 0; i < valueWidth; i++) {
          turned[i * keys + j] = row[i];
        }
      }
      for (int64_t from = 0; from < queries; from += BLOCK) {
        const int64_t rows = std::min(BLOCK, queries - from);
        product(Matrix(type, at(q, n, from, h, width), q.rowStride), Matrix(type, at(k, n, 0, h, width), k.rowStride), rows, keys, width, scores.data());
        for (int64_t r = 0; r < rows; r++) {
          float* s = scores.data() + r * keys;
          const int64_t visible = causal ? std::min(keys, from + r + 1) : keys;
          std::fill(s + visible, s + keys, 0.0f);
          float most = s[0] * scale;
          for (int64_t j = 0; j < visible; j++) {
            s[j] *= scale;
            most = std::max(most, s[j]);
          }
          double sum = 0;
          for (int64_t j = 0; j < visible; j++) {
            s[j] = std::exp(s[j] - most);
            sum += s[j];
          }
          sums[r] = static_cast<float>(sum);
        }
        product(Matrix(Type::F32, scores.data(), keys), Matrix(Type::F32, turned.data(), keys), rows, valueWidth, keys, result.data());
        for (int64_t r = 0; r < rows; r++) {
          for (int64_t i = 0; i < valueWidth; i++) {
            result[r * valueWidth + i] /= sums[r];
          }
          narrow(type, result.data() + r * valueWidth, const_cast<char*>(at(out, n, from + r, h, valueWidth)), valueWidth);
        }
      }
    }
  }
}

} // namespace standin
