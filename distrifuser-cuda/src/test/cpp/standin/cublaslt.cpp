// libcublasLt.so.13: D = A^T B + beta C, with a bias for each row, in batches. An algorithm remembers what it was chosen for and refuses anything
// else, as the real one may.
#include "device.hpp"
#include "math.hpp"

#include <cstring>
#include <map>

using namespace standin;

namespace {

enum { OK = 0, INVALID = 7, UNSUPPORTED = 15 };
enum { LAYOUT_TYPE = 0, ROWS = 2, COLS = 3, LD = 4, BATCHES = 5, BATCH_OFFSET = 6 };
enum { TRANS_A = 3, TRANS_B = 4, EPILOGUE = 7, BIAS = 8 };
enum { MOST_WORKSPACE = 1, REDUCTIONS = 3, ALIGN_A = 5, ALIGN_B = 6, ALIGN_C = 7, ALIGN_D = 8 };

struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t ld;
  int32_t batches = 1;
  int64_t offset = 0;
};

struct Desc {
  int compute, scale;
  int transA = 0, transB = 0;
  int epilogue = 1;
  const void* bias = nullptr;
};

struct Preference {
  uint64_t workspace = 0;
  uint32_t reductions = 7; // all: the best algorithm then adds two halves up in the output's type
  uint32_t align[4] = {256, 256, 256, 256};
};

struct Algorithm {
  uint64_t magic;
  uint64_t shape; // of all that the choice depends on
  uint32_t align[4];
  uint64_t workspace;
  uint64_t halves;
  uint64_t rest[2];
};
static_assert(sizeof(Algorithm) <= 64, "fits cublasLtMatmulAlgo_t");

struct Result {
  char algorithm[64];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

constexpr uint64_t MAGIC = 0x5354414e44494e31ull;

Type typeOf(int t) { return t == 0 ? Type::F32 : t == 2 ? Type::F16 : Type::BF16; }

bool knownType(int t) { return t == 0 || t == 2 || t == 14; }

uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 29); }

uint64_t shape(const Desc& d, const Layout& a, const Layout& b, const Layout& c, const Layout& out) {
  uint64_t h = mix(mix(mix(1, d.compute), d.transA * 3 + d.transB), d.epilogue);
  for (const Layout* l : {&a, &b, &c, &out}) {
    for (uint64_t v : {static_cast<uint64_t>(l->type), l->rows, l->cols, static_cast<uint64_t>(l->ld), static_cast<uint64_t>(l->batches),
                       static_cast<uint64_t>(l->offset)}) {
      h = mix(h, v);
    }
  }
  return h;
}

bool fits(const Desc& d, const Layout& a, const Layout& b, const Layout& c, const Layout& out) {
  const bool types = knownType(a.type) && b.type == a.type && c.type == out.type && knownType(out.type);
  const bool plain = d.compute == 68 && d.scale == 0 && d.transA == 1 && d.transB == 0 && (d.epilogue == 1 || d.epilogue == 4);
  const bool sizes = a.rows == b.rows && a.cols == out.rows && b.cols == out.cols && c.rows == out.rows && c.cols == out.cols;
  bool leading = true;
  for (const Layout* l : {&a, &b, &c, &out}) {
    leading &= l->ld >= static_cast<int64_t>(l->rows) && l->batches == out.batches && l->rows > 0 && l->cols > 0;
  }
  return types && plain && sizes && leading;
}

Touch touched(const void* p, const Layout& l) {
  const size_t last = (l.batches - 1) * l.offset + (l.cols - 1) * l.ld + l.rows;
  return Touch{p, last * width(typeOf(l.type))};
}

bool aligned(const void* p, uint32_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

const char* at(const void* p, const Layout& l, int batch) {
  return static_cast<const char*>(p) + batch * l.offset * static_cast<int64_t>(width(typeOf(l.type)));
}

// A product in two halves, each rounded to the output's type.
void addHalves(Type type, const Matrix& x, const Matrix& y, size_t m, size_t n, size_t k, std::vector<float>& sums) {
  std::vector<float> other(m * n);
  const auto half = [&](size_t from, size_t size, std::vector<float>& to) {
    const auto shifted = [&](const Matrix& a) { return Matrix(a.type, static_cast<const char*>(a.data) + from * width(a.type), a.stride); };
    product(shifted(x), shifted(y), m, n, size, to.data());
    std::vector<char> narrowed(m * n * width(type));
    standin::narrow(type, to.data(), narrowed.data(), m * n);
    widen(type, narrowed.data(), to.data(), m * n);
  };
  half(0, k / 2, sums);
  half(k / 2, k - k / 2, other);
  for (size_t i = 0; i < sums.size(); i++) {
    sums[i] += other[i];
  }
}

void multiply(const Desc& d, const Layout& a, const void* pa, const Layout& b, const void* pb, float beta, const Layout& c, const void* pc,
              const Layout& out, void* pd, bool halves) {
  const size_t n = out.rows;
  const size_t m = out.cols;
  std::vector<float> sums(m * n);
  std::vector<float> bias(n), row(n);
  const Type type = typeOf(out.type);
  if (d.epilogue == 4) {
    widen(type, d.bias, bias.data(), n);
  }
  for (int batch = 0; batch < out.batches; batch++) {
    const size_t w = width(type);
    const Matrix x(typeOf(b.type), at(pb, b, batch), b.ld);
    const Matrix y(typeOf(a.type), at(pa, a, batch), a.ld);
    if (halves && a.rows > 1) {
      addHalves(type, x, y, m, n, a.rows, sums);
    } else {
      product(x, y, m, n, a.rows, sums.data());
    }
    for (size_t r = 0; r < m; r++) {
      float* s = sums.data() + r * n;
      if (beta != 0) {
        widen(type, at(pc, c, batch) + r * c.ld * w, row.data(), n);
        for (size_t i = 0; i < n; i++) {
          s[i] += beta * row[i];
        }
      }
      for (size_t i = 0; i < n; i++) {
        s[i] += bias[i];
      }
      standin::narrow(type, s, const_cast<char*>(at(pd, out, batch)) + r * out.ld * w, n);
    }
  }
}

} // namespace

EXPORT size_t cublasLtGetVersion() { return cublasVersion; }

EXPORT int cublasLtCreate(void** handle) {
  if (entered() || unsafe()) {
    return 1;
  }
  *handle = new char;
  counted("cuBLASLt handles", 1);
  return OK;
}

EXPORT int cublasLtDestroy(void* handle) {
  delete static_cast<char*>(handle);
  counted("cuBLASLt handles", -1);
  return OK;
}

EXPORT int cublasLtMatmulDescCreate(Desc** d, int compute, int scale) {
  *d = new Desc{compute, scale};
  counted("cuBLASLt descriptors", 1);
  return OK;
}

EXPORT int cublasLtMatmulDescDestroy(Desc* d) {
  delete d;
  counted("cuBLASLt descriptors", -1);
  return OK;
}

EXPORT int cublasLtMatmulDescSetAttribute(Desc* d, int attribute, const void* value, size_t bytes) {
  switch (attribute) {
  case TRANS_A:
  case TRANS_B:
  case EPILOGUE:
    if (bytes != 4) {
      return INVALID;
    }
    std::memcpy(attribute == TRANS_A ? &d->transA : attribute == TRANS_B ? &d->transB : &d->epilogue, value, 4);
    return OK;
  case BIAS:
    if (bytes != 8) {
      return INVALID;
    }
    std::memcpy(&d->bias, value, 8);
    return OK;
  default:
    return UNSUPPORTED;
  }
}

EXPORT int cublasLtMatrixLayoutCreate(Layout** l, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  *l = new Layout{type, rows, cols, ld};
  counted("cuBLASLt descriptors", 1);
  return OK;
}

EXPORT int cublasLtMatrixLayoutDestroy(Layout* l) {
  delete l;
  counted("cuBLASLt descriptors", -1);
  return OK;
}

EXPORT int cublasLtMatrixLayoutSetAttribute(Layout* l, int attribute, const void* value, size_t bytes) {
  if (attribute == BATCHES && bytes == 4) {
    std::memcpy(&l->batches, value, 4);
    return OK;
  }
  if (attribute == BATCH_OFFSET && bytes == 8) {
    std::memcpy(&l->offset, value, 8);
    return OK;
  }
  return INVALID;
}

EXPORT int cublasLtMatmulPreferenceCreate(Preference** p) {
  *p = new Preference();
  counted("cuBLASLt descriptors", 1);
  return OK;
}

EXPORT int cublasLtMatmulPreferenceDestroy(Preference* p) {
  delete p;
  counted("cuBLASLt descriptors", -1);
  return OK;
}

EXPORT int cublasLtMatmulPreferenceSetAttribute(Preference* p, int attribute, const void* value, size_t bytes) {
  if (attribute == MOST_WORKSPACE && bytes == 8) {
    std::memcpy(&p->workspace, value, 8);
    return OK;
  }
  if (attribute == REDUCTIONS && bytes == 4) {
    std::memcpy(&p->reductions, value, 4);
    return OK;
  }
  if (attribute >= ALIGN_A && attribute <= ALIGN_D && bytes == 4) {
    std::memcpy(&p->align[attribute - ALIGN_A], value, 4);
    return OK;
  }
  return INVALID;
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, const Desc* d, const Layout* a, const Layout* b, const Layout* c, const Layout* out, const Preference* p,
                                          int wanted, Result* results, int* found) {
  *found = 0;
  if (entered()) {
    return 14;
  }
  if (!fits(*d, *a, *b, *c, *out) || wanted < 1) {
    return UNSUPPORTED;
  }
  Algorithm algorithm{};
  algorithm.magic = MAGIC;
  algorithm.shape = shape(*d, *a, *b, *c, *out);
  std::memcpy(algorithm.align, p->align, sizeof(p->align));
  algorithm.halves = (p->reductions & 4) != 0;
  algorithm.workspace = std::min<uint64_t>(p->workspace, 1024);
  std::memset(results, 0, sizeof(Result));
  std::memcpy(results->algorithm, &algorithm, sizeof(algorithm));
  results->workspace = algorithm.workspace;
  *found = 1;
  return OK;
}

EXPORT int cublasLtMatmul(void*, const Desc* d, const float* alpha, const void* pa, const Layout* a, const void* pb, const Layout* b, const float* beta,
                          const void* pc, const Layout* c, void* pd, const Layout* out, const Algorithm* algorithm, void* workspace, size_t workspaceBytes,
                          Stream* stream) {
  if (entered()) {
    return 13;
  }
  const void* pointers[] = {pa, pb, pc, pd};
  if (!fits(*d, *a, *b, *c, *out) || *alpha != 1 || algorithm == nullptr || algorithm->magic != MAGIC || algorithm->shape != shape(*d, *a, *b, *c, *out) ||
      workspaceBytes < algorithm->workspace) {
    report("cublasLtMatmul: an algorithm that was chosen for another product, or no room for its workspace");
    return INVALID;
  }
  for (int i = 0; i < 4; i++) {
    if (!aligned(pointers[i], algorithm->align[i])) {
      report("cublasLtMatmul: operand " + std::to_string(i) + " is aligned to less than its algorithm was told");
      return INVALID;
    }
  }
  if (d->epilogue == 4 && !aligned(d->bias, algorithm->align[3])) {
    report("cublasLtMatmul: a bias is aligned to less than its algorithm was told of the output");
    return INVALID;
  }
  counts[2]++;
  std::vector<Touch> touches = {touched(pa, *a), touched(pb, *b), touched(pd, *out), {workspace, algorithm->workspace}};
  if (*beta != 0) {
    touches.push_back(touched(pc, *c));
  }
  if (d->epilogue == 4) {
    touches.push_back({d->bias, out->rows * width(typeOf(out->type))});
  }
  Cost cost;
  cost.flops = 2.0 * out->rows * out->cols * a->rows * out->batches;
  return enqueue(stream, "cublasLtMatmul", touches, [=, d = *d, a = *a, b = *b, c = *c, out = *out, beta = *beta, halves = algorithm->halves != 0] {
    multiply(d, a, pa, b, pb, beta, c, pc, out, pd, halves);
    return static_cast<int>(SUCCESS);
  }, cost) == SUCCESS
             ? OK
             : 13;
}
