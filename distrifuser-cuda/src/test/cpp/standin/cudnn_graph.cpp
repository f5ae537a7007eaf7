// Operation graphs from their descriptors.
#include "cudnn_graph.hpp"

namespace standin::cudnn {

thread_local std::string lastError;

Shared child(const Shared& d, int attribute) {
  auto found = d->values.find(attribute);
  return found == d->values.end() || found->second.descriptors.empty() ? nullptr : found->second.descriptors[0];
}

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

namespace {

bool channelsLast(const Tensor& t) {
  return t.dims.size() == 4 && t.strides[1] == 1 && t.strides[3] == t.dims[1] && t.strides[2] == t.dims[1] * t.dims[3];
}

} // namespace

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

} // namespace standin::cudnn
