// libcudnn_graph.so.9: interprets operation graphs of convolutions with additions, and of scaled-dot-product attention.
#include "device.hpp"
#include "math.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>

using namespace standin;

namespace {

enum { OK = 0, BAD = 2000, NOT_FINAL = 2004, UNSUPPORTED = 3000, FAILED = 5000 };
enum Kind {
  POINTWISE = 0,
  CONVOLUTION = 1,
  ENGINE = 2,
  CONFIGURATION = 3,
  HEURISTICS = 4,
  PLAN = 5,
  OP_CONVOLUTION = 10,
  OP_POINTWISE = 13,
  GRAPH = 15,
  PACK = 16,
  TENSOR = 17,
  OP_SDPA = 41
};
enum ValueType { V_HANDLE = 0, V_DATA_TYPE = 1, V_BOOLEAN = 2, V_INT64 = 3, V_FLOAT = 4, V_POINTER = 6, V_NOTE = 11, V_DESCRIPTOR = 15, V_BEHAVIOR = 19 };

// Engines: exact ones, those that convert inputs to TensorFloat-32, those that add up in 16 bits and overflow.
enum Engine { EXACT = 0, NARROW_INPUTS = 1, NARROW_SUMS = 2 };

struct Descriptor;
using Shared = std::shared_ptr<Descriptor>;

struct Value {
  int type;
  std::vector<char> bytes;
  std::vector<Shared> descriptors;
};

struct Descriptor {
  int kind;
  bool final = false;
  std::map<int, Value> values;
  int engine = 0; // of a configuration or an engine
  std::set<Stream*> streams; // that a plan was executed for
};

std::recursive_mutex mutex;
std::map<Descriptor*, Shared> all;
std::map<void*, Stream*> handles;
thread_local std::string lastError;

int fail(int status, const std::string& why) {
  lastError = why;
  return status;
}

size_t widthOf(int type) {
  switch (type) {
  case V_BOOLEAN:
  case 24:
    return 1;
  case V_INT64:
  case V_POINTER:
  case V_HANDLE:
  case V_DESCRIPTOR:
  case 5:
    return 8;
  default:
    return 4;
  }
}

template <typename T> std::vector<T> list(const Shared& d, int attribute) {
  auto found = d->values.find(attribute);
  if (found == d->values.end()) {
    return {};
  }
  std::vector<T> out(found->second.bytes.size() / sizeof(T));
  std::memcpy(out.data(), found->second.bytes.data(), out.size() * sizeof(T));
  return out;
}

template <typename T> T one(const Shared& d, int attribute, T otherwise) {
  const std::vector<T> l = list<T>(d, attribute);
  return l.empty() ? otherwise : l[0];
}

Shared child(const Shared& d, int attribute) {
  auto found = d->values.find(attribute);
  return found == d->values.end() || found->second.descriptors.empty() ? nullptr : found->second.descriptors[0];
}

// --- tensors ---

struct Tensor {
  std::vector<int64_t> dims, strides;
  int64_t id = 0;
  int64_t alignment = 1;
  Type type = Type::F32;
  bool isVirtual = false;
  bool byValue = false;

  size_t elements() const {
    size_t n = 1;
    for (int64_t d : dims) {
      n *= d;
    }
    return n;
  }

  size_t extent() const {
    size_t last = 1;
    for (size_t i = 0; i < dims.size(); i++) {
      last += (dims[i] - 1) * strides[i];
    }
    return last * width(type);
  }
};

Tensor tensor(const Shared& d) {
  Tensor t;
  t.dims = list<int64_t>(d, 902);
  t.strides = list<int64_t>(d, 903);
  t.id = one<int64_t>(d, 906, -1);
  t.alignment = one<int64_t>(d, 900, 1);
  const int type = one<int>(d, 901, 0);
  t.type = type == 0 ? Type::F32 : type == 2 ? Type::F16 : Type::BF16;
  t.isVirtual = one<char>(d, 907, 0) != 0;
  t.byValue = one<char>(d, 908, 0) != 0;
  return t;
}

struct Convolution {
  Tensor x, w, y;
  std::vector<int64_t> before, after, strides;
};

struct Addition {
  Tensor x, b, y;
};

struct Attention {
  Tensor q, k, v, o, scale;
};

struct Graph {
  std::vector<Convolution> convolutions;
  std::vector<Addition> additions;
  std::vector<Attention> attentions;
};

bool channelsLast(const Tensor& t) {
  return t.dims.size() == 4 && t.strides[1] == 1 && t.strides[3] == t.dims[1] && t.strides[2] == t.dims[1] * t.dims[3];
}

// Reads a graph; false where it is not one that this library runs.
bool read(const Shared& graph, Graph& out) {
  for (const Shared& op : graph->values[801].descriptors) {
    if (op->kind == OP_CONVOLUTION) {
      const Shared c = child(op, 702);
      Convolution v{tensor(child(op, 704)), tensor(child(op, 703)), tensor(child(op, 705)), list<int64_t>(c, 105), list<int64_t>(c, 104),
                    list<int64_t>(c, 103)};
      const bool sizes = [&] {
        for (int i = 0; i < 2; i++) {
          if (v.y.dims[2 + i] != (v.x.dims[2 + i] + v.before[i] + v.after[i] - v.w.dims[2 + i]) / v.strides[i] + 1) {
            return false;
          }
        }
        return v.x.dims[1] == v.w.dims[1] && v.y.dims[1] == v.w.dims[0] && v.x.dims[0] == v.y.dims[0];
      }();
      if (!sizes || !channelsLast(v.x) || !channelsLast(v.w) || !channelsLast(v.y)) {
        lastError = "a convolution whose sizes or layouts don't fit";
        return false;
      }
      out.convolutions.push_back(v);
    } else if (op->kind == OP_POINTWISE) {
      if (one<int>(child(op, 750), 0, -1) != 0) {
        lastError = "a pointwise operation other than addition";
        return false;
      }
      out.additions.push_back(Addition{tensor(child(op, 751)), tensor(child(op, 752)), tensor(child(op, 753))});
    } else if (op->kind == OP_SDPA) {
      out.attentions.push_back(
          Attention{tensor(child(op, 2800)), tensor(child(op, 2801)), tensor(child(op, 2802)), tensor(child(op, 2803)), tensor(child(op, 2805))});
    } else {
      return false;
    }
  }
  return true;
}

bool supported(const Shared& graph) {
  Graph g;
  if (!read(graph, g)) {
    return false;
  }
  if (!g.attentions.empty()) {
    const Attention& a = g.attentions[0];
    const bool halves = a.q.type != Type::F32 && a.k.type == a.q.type && a.v.type == a.q.type && a.o.type == a.q.type;
    const bool adjacent = a.q.strides[1] == a.q.dims[3] && a.k.strides[1] == a.k.dims[3] && a.v.strides[1] == a.v.dims[3] && a.o.strides[1] == a.o.dims[3];
    if (!halves || !adjacent || a.q.dims[3] % 8 != 0 || a.v.dims[3] % 8 != 0 || (refusals & REFUSE_ATTENTION)) {
      lastError = "attention of head sizes or types that have no engine";
      return false;
    }
    return g.attentions.size() == 1 && g.convolutions.empty() && g.additions.empty();
  }
  if (g.convolutions.size() != 1 || (refusals & REFUSE_CONVOLUTION)) {
    return false;
  }
  for (const Addition& a : g.additions) {
    const bool channels = a.b.dims[2] == 1 && a.b.dims[3] == 1;
    const bool batches = a.b.dims[0] > 1;
    if ((!channels && (refusals & REFUSE_RESIDUAL)) || (channels && batches && (refusals & REFUSE_CHANNEL_BIAS)) || (channels && (refusals & REFUSE_BIAS))) {
      lastError = "an addition that is not to be fused";
      return false;
    }
  }
  return true;
}

// --- execution ---

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

struct Running {
  std::map<int64_t, void*> pointers;
  std::map<int64_t, std::vector<float>> values; // of virtual tensors, in the order n, h, w, c

  char* at(const Tensor& t) { return static_cast<char*>(pointers.at(t.id)); }

  void store(const Tensor& t, std::vector<float>& v) {
    if (t.isVirtual) {
      values[t.id] = std::move(v);
      return;
    }
    const size_t batch = t.elements() / t.dims[0];
    for (int64_t n = 0; n < t.dims[0]; n++) {
      standin::narrow(t.type, v.data() + n * batch, at(t) + n * t.strides[0] * width(t.type), batch);
    }
  }

  void run(const Convolution& c, int engine) {
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

  void run(const Addition& a) {
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

  Heads heads(const Tensor& t) { return Heads{at(t), t.strides[0], t.strides[2]}; }

  void run(const Attention& a, float scale) {
    attend(a.q.type, heads(a.q), heads(a.k), heads(a.v), heads(a.o), a.q.dims[0], a.q.dims[1], a.q.dims[2], a.k.dims[2], a.q.dims[3], a.v.dims[3], scale,
           false);
  }
};

constexpr int64_t WORKSPACE = 4096;

bool finalised(const Shared& d) {
  for (const auto& [attribute, v] : d->values) {
    for (const Shared& c : v.descriptors) {
      if (!c->final) {
        return false;
      }
    }
  }
  return true;
}

Shared shared(Descriptor* d) {
  auto found = all.find(d);
  if (found == all.end()) {
    report("a cuDNN descriptor is used that does not exist");
    return nullptr;
  }
  return found->second;
}

} // namespace

using Lock = std::lock_guard<std::recursive_mutex>;

EXPORT size_t cudnnGetVersion() { return cudnnVersion; }

EXPORT const char* cudnnGetErrorString(int status) {
  switch (status) {
  case OK:
    return "CUDNN_STATUS_SUCCESS";
  case UNSUPPORTED:
    return "CUDNN_STATUS_NOT_SUPPORTED";
  case FAILED:
    return "CUDNN_STATUS_EXECUTION_FAILED";
  default:
    return "CUDNN_STATUS_BAD_PARAM";
  }
}

EXPORT void cudnnGetLastErrorString(char* text, size_t size) {
  std::strncpy(text, lastError.c_str(), size);
  text[size - 1] = 0;
  lastError.clear();
}

EXPORT int cudnnCreate(void** handle) {
  Lock lock(mutex);
  if (entered() || unsafe()) {
    return FAILED;
  }
  *handle = new char;
  handles[*handle] = nullptr;
  counted("cuDNN handles", 1);
  return OK;
}

EXPORT int cudnnDestroy(void* handle) {
  Lock lock(mutex);
  handles.erase(handle);
  delete static_cast<char*>(handle);
  counted("cuDNN handles", -1);
  return OK;
}

EXPORT int cudnnSetStream(void* handle, Stream* stream) {
  Lock lock(mutex);
  handles[handle] = stream;
  return OK;
}

EXPORT int cudnnBackendCreateDescriptor(int kind, Descriptor** d) {
  Lock lock(mutex);
  const std::set<int> kinds = {POINTWISE, CONVOLUTION, ENGINE, CONFIGURATION, HEURISTICS, PLAN, OP_CONVOLUTION, OP_POINTWISE, GRAPH, PACK, TENSOR, OP_SDPA};
  if (kinds.count(kind) == 0) {
    return fail(UNSUPPORTED, "a kind of descriptor that this library lacks");
  }
  Shared made = std::make_shared<Descriptor>();
  made->kind = kind;
  all[made.get()] = made;
  *d = made.get();
  counted("cuDNN descriptors", 1);
  return OK;
}

EXPORT int cudnnBackendDestroyDescriptor(Descriptor* d) {
  Lock lock(mutex);
  auto found = all.find(d);
  if (found == all.end()) {
    report("a cuDNN descriptor is destroyed that does not exist");
    return BAD;
  }
  if (found->second->kind == PLAN && busy(found->second->streams)) {
    report("a cuDNN plan is destroyed while work is under way that may be its own");
  }
  all.erase(found);
  counted("cuDNN descriptors", -1);
  return OK;
}

EXPORT int cudnnBackendSetAttribute(Descriptor* d, int attribute, int type, int64_t n, const void* values) {
  Lock lock(mutex);
  const Shared s = shared(d);
  if (s == nullptr || s->final) {
    return fail(BAD, "an attribute of a descriptor that is final or not there");
  }
  Value v{type, std::vector<char>(n * widthOf(type)), {}};
  std::memcpy(v.bytes.data(), values, v.bytes.size());
  if (type == V_DESCRIPTOR) {
    Descriptor* const* p = static_cast<Descriptor* const*>(values);
    for (int64_t i = 0; i < n; i++) {
      const Shared c = shared(p[i]);
      if (c == nullptr || !c->final) {
        return fail(NOT_FINAL, "a descriptor that is not final");
      }
      v.descriptors.push_back(c);
    }
  }
  s->values[attribute] = std::move(v);
  return OK;
}

EXPORT int cudnnBackendFinalize(Descriptor* d) {
  Lock lock(mutex);
  const Shared s = shared(d);
  if (s == nullptr || !finalised(s)) {
    return fail(NOT_FINAL, "a descriptor of descriptors that are not final");
  }
  if (s->kind == TENSOR) {
    const Tensor t = tensor(s);
    if (t.dims.empty() || t.dims.size() != t.strides.size() || t.id < 0) {
      return fail(BAD, "a tensor without dimensions, strides or number");
    }
  }
  if (s->kind == GRAPH && s->values.count(800) == 0) {
    return fail(BAD, "a graph without a handle");
  }
  if (s->kind == PLAN && (child(s, 401) == nullptr || s->values.count(400) == 0)) {
    return fail(BAD, "a plan without configuration or handle");
  }
  s->final = true;
  return OK;
}

EXPORT int cudnnBackendGetAttribute(Descriptor* d, int attribute, int type, int64_t room, int64_t* count, void* to) {
  Lock lock(mutex);
  const Shared s = shared(d);
  if (s == nullptr || !s->final) {
    return fail(NOT_FINAL, "an attribute of a descriptor that is not final");
  }
  if (s->kind == HEURISTICS && attribute == 202) {
    const Shared graph = child(s, 201);
    const bool any = one<int>(s, 200, -1) == 3 && supported(graph);
    Graph g;
    read(graph, g);
    // the first engine for convolutions is less exact, as on real devices
    const bool two = any && !g.convolutions.empty();
    const int64_t n = any ? (two ? 2 : 1) : 0;
    *count = n;
    if (to != nullptr) {
      *count = std::min<int64_t>(n, room);
      Descriptor** list = static_cast<Descriptor**>(to);
      for (int64_t i = 0; i < *count; i++) {
        const Shared c = shared(list[i]);
        if (c == nullptr || c->kind != CONFIGURATION) {
          return fail(BAD, "results go into configurations");
        }
        c->values[201] = Value{V_DESCRIPTOR, {}, {graph}};
        c->engine = !two || i > 0 ? EXACT : g.convolutions[0].x.type == Type::F32 ? NARROW_INPUTS : NARROW_SUMS;
        c->final = true;
      }
    }
    return OK;
  }
  if (s->kind == CONFIGURATION && attribute == 300) {
    *count = 1;
    if (room > 0) {
      const Shared e = shared(*static_cast<Descriptor**>(to));
      if (e == nullptr || e->kind != ENGINE) {
        return fail(BAD, "an engine goes into an engine");
      }
      e->engine = s->engine;
      e->final = true;
    }
    return OK;
  }
  if (s->kind == ENGINE && attribute == 1303) {
    *count = s->engine == EXACT ? 0 : 2;
    if (to != nullptr && s->engine != EXACT && room >= 2) {
      static_cast<int*>(to)[0] = 0; // tensor cores
      static_cast<int*>(to)[1] = s->engine == NARROW_INPUTS ? 1 : 2; // inputs or sums are converted down
    }
    return OK;
  }
  if (s->kind == PLAN && attribute == 402) {
    *count = 1;
    *static_cast<int64_t*>(to) = WORKSPACE;
    return OK;
  }
  return fail(UNSUPPORTED, "attribute " + std::to_string(attribute) + " of kind " + std::to_string(s->kind) + " type " + std::to_string(type));
}

EXPORT int cudnnBackendExecute(void* handle, Descriptor* p, Descriptor* v) {
  Lock lock(mutex);
  const Shared plan = shared(p);
  const Shared pack = shared(v);
  if (entered()) {
    return FAILED;
  }
  if (plan == nullptr || pack == nullptr || !plan->final || !pack->final || handles.count(handle) == 0) {
    return fail(BAD, "a plan, a pack or a handle that is not there");
  }
  plan->streams.insert(handles[handle]);
  const Shared configuration = child(plan, 401);
  auto graph = std::make_shared<Graph>();
  read(child(configuration, 201), *graph);
  const std::vector<int64_t> ids = list<int64_t>(pack, 1000);
  const std::vector<void*> pointers = list<void*>(pack, 1001);
  auto running = std::make_shared<Running>();
  for (size_t i = 0; i < ids.size() && i < pointers.size(); i++) {
    running->pointers[ids[i]] = pointers[i];
  }
  std::vector<Touch> touches = {{one<void*>(pack, 1003, nullptr), WORKSPACE}};
  bool missing = false;
  bool misaligned = false;
  const auto touch = [&](const Tensor& t) {
    if (t.isVirtual || t.byValue) {
      return;
    }
    auto found = running->pointers.find(t.id);
    if (found == running->pointers.end()) {
      missing = true;
      return;
    }
    misaligned |= reinterpret_cast<uintptr_t>(found->second) % t.alignment != 0;
    touches.push_back({found->second, t.extent()});
  };
  for (const Convolution& c : graph->convolutions) {
    touch(c.x);
    touch(c.w);
    touch(c.y);
    counts[0]++;
  }
  for (const Addition& a : graph->additions) {
    touch(a.b);
    touch(a.y);
  }
  float scale = 1;
  for (const Attention& a : graph->attentions) {
    touch(a.q);
    touch(a.k);
    touch(a.v);
    touch(a.o);
    auto found = running->pointers.find(a.scale.id);
    if (found == running->pointers.end()) {
      missing = true;
    } else {
      std::memcpy(&scale, found->second, 4); // by value: read when it is called
    }
    counts[1]++;
  }
  if (missing || misaligned) {
    report(missing ? "cuDNN: a tensor of the graph has no pointer" : "cuDNN: a tensor is aligned to less than its descriptor says");
    return fail(BAD, "a tensor without a pointer, or at one that is aligned to less than it says");
  }
  const int engine = configuration->engine;
  Cost cost;
  for (const Convolution& c : graph->convolutions) {
    cost.flops += 2.0 * c.y.elements() / c.y.dims[1] * c.w.elements();
  }
  for (const Attention& a : graph->attentions) {
    cost.flops += 2.0 * a.q.elements() * a.k.dims[2] + 2.0 * a.o.elements() * a.k.dims[2];
  }
  const int status = enqueue(handles[handle], "cudnnBackendExecute", touches, [=] {
    for (const Convolution& c : graph->convolutions) {
      running->run(c, engine);
    }
    for (const Addition& a : graph->additions) {
      running->run(a);
    }
    for (const Attention& a : graph->attentions) {
      running->run(a, scale);
    }
    return static_cast<int>(SUCCESS);
  }, cost);
  return status == SUCCESS ? OK : FAILED;
}
