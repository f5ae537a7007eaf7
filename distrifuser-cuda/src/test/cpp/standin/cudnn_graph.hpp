// Descriptors of cuDNN's backend, and the operation graphs that this library reads from them.
#ifndef STANDIN_CUDNN_GRAPH_HPP
#define STANDIN_CUDNN_GRAPH_HPP

#include "device.hpp"
#include "math.hpp"

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace standin::cudnn {

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

// What cudnnGetLastErrorString tells of this thread's last failure.
extern thread_local std::string lastError;

// An attribute's values; none where it is not set.
template <typename T> std::vector<T> list(const Shared& d, int attribute) {
  auto found = d->values.find(attribute);
  if (found == d->values.end()) {
    return {};
  }
  std::vector<T> out(found->second.bytes.size() / sizeof(T));
  std::memcpy(out.data(), found->second.bytes.data(), out.size() * sizeof(T));
  return out;
}

// Its first value.
template <typename T> T one(const Shared& d, int attribute, T otherwise) {
  const std::vector<T> l = list<T>(d, attribute);
  return l.empty() ? otherwise : l[0];
}

// The first descriptor of an attribute, or null.
Shared child(const Shared& d, int attribute);

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

// A tensor's descriptor.
Tensor tensor(const Shared& d);

// Reads a graph; false where it is not one that this library runs.
bool read(const Shared& graph, Graph& out);

// Whether there is an engine for it.
bool supported(const Shared& graph);

} // namespace standin::cudnn

#endif
