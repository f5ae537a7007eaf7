// libcudnn_graph.so.9: interprets operation graphs of convolutions with additions, and of scaled-dot-product attention.
#include "cudnn_run.hpp"

#include <algorithm>
#include <mutex>

using namespace standin;
using namespace standin::cudnn;

namespace {

std::recursive_mutex mutex;
std::map<Descriptor*, Shared> all;
std::map<void*, Stream*> handles;

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
