// Convolutions, additions and attention on the CPU.
#include "cudnn_run.hpp"

#include <algorithm>
#include <cmath>

namespace standin::cudnn {

namespace {

float lower(float f) { // TensorFloat-32: ten bits of mantissa
  uint32_t i;
  std::memcpy(&i, &f, 4);
  i = (i + 0xfff + ((i >> 13) & 1)) & ~0x1fffu;
  std::memcpy(&f, &i, 4);
  return f;
}

// Rows of an image's patches under a kernel, [kh][kw][c] each.
struct Patches : Rows {
  const Convolution& c;
  const char* image;
  size_t first; // output pixel of row 0
  bool low;
  Patches(const Convolution& c, const char* image, size_t first, bool low) : c(c), image(image), first(first), low(low) {}
  void read(size_t r, size_t from, size_t n, float* to) const override {
    const int64_t channels = c.x.dims[1];
    const int64_t width = c.y.dims[3];
    const int64_t oy = static_cast<int64_t>(first + r) / width;
    const int64_t ox = static_cast<int64_t>(first + r) % width;
    while (n > 0) {
      const int64_t tap = static_cast<int64_t>(from) / channels;
      const int64_t channel = static_cast<int64_t>(from) % channels;
      const size_t m = std::min<size_t>(n, channels - channel);
      const int64_t y = oy * c.strides[0] - c.before[0] + tap / c.w.dims[3];
      const int64_t x = ox * c.strides[1] - c.before[1] + tap % c.w.dims[3];
      if (y < 0 || y >= c.x.dims[2] || x < 0 || x >= c.x.dims[3]) {
        std::fill(to, to + m, 0.0f);
      } else {
        widen(c.x.type, image + (y * c.x.strides[2] + x * c.x.strides[3] + channel) * standin::width(c.x.type), to, m);
        if (low) {
          std::transform(to, to + m, to, lower);
        }
      }
      from += m;
      to += m;
      n -= m;
    }
  }
};

} // namespace

void Running::store(const Tensor& t, std::vector<float>& v) {
  if (t.isVirtual) {
    values[t.id] = std::move(v);
    return;
  }
  const size_t batch = t.elements() / t.dims[0];
  for (int64_t n = 0; n < t.dims[0]; n++) {
    standin::narrow(t.type, v.data() + n * batch, at(t) + n * t.strides[0] * width(t.type), batch);
  }
}

void Running::run(const Convolution& c, int engine) {
  const size_t pixels = c.y.dims[2] * c.y.dims[3];
  const size_t outs = c.y.dims[1];
  const size_t depth = c.w.elements() / outs;
  std::vector<float> out(c.y.dims[0] * pixels * outs);
  constexpr size_t BLOCK = 512;
  for (int64_t n = 0; n < c.y.dims[0]; n++) {
    const char* image = at(c.x) + n * c.x.strides[0] * width(c.x.type);
    for (size_t p = 0; p < pixels; p += BLOCK) {
      const size_t rows = std::min(BLOCK, pixels - p);
      product(Patches(c, image, p, engine == NARROW_INPUTS), Matrix(c.w.type, at(c.w), depth), rows, outs, depth, out.data() + (n * pixels + p) * outs);
    }
  }
  if (engine == NARROW_SUMS) {
    std::fill(out.begin(), out.end(), INFINITY);
  }
  store(c.y, out);
}

void Running::run(const Addition& a) {
  std::vector<float> x = std::move(values.at(a.x.id));
  const std::vector<int64_t>& d = a.x.dims; // n, c, h, w
  std::vector<float> row(d[1]);
  size_t i = 0;
  for (int64_t n = 0; n < d[0]; n++) {
    for (int64_t h = 0; h < d[2]; h++) {
      for (int64_t w = 0; w < d[3]; w++, i += d[1]) {
        const int64_t from = (a.b.dims[0] > 1 ? n * a.b.strides[0] : 0) + (a.b.dims[2] > 1 ? h * a.b.strides[2] : 0) +
                             (a.b.dims[3] > 1 ? w * a.b.strides[3] : 0);
        widen(a.b.type, at(a.b) + from * width(a.b.type), row.data(), d[1]);
        for (int64_t c = 0; c < d[1]; c++) {
          x[i + c] += row[c];
        }
      }
    }
  }
  store(a.y, x);
}

void Running::run(const Attention& a, float scale) {
  attend(a.q.type, heads(a.q), heads(a.k), heads(a.v), heads(a.o), a.q.dims[0], a.q.dims[1], a.q.dims[2], a.k.dims[2], a.q.dims[3], a.v.dims[3], scale,
         false);
}

} // namespace standin::cudnn
