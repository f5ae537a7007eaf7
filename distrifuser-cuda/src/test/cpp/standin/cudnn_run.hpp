// What a plan's execution computes.
#ifndef STANDIN_CUDNN_RUN_HPP
#define STANDIN_CUDNN_RUN_HPP

#include "cudnn_graph.hpp"

namespace standin::cudnn {

struct Running {
  std::map<int64_t, void*> pointers;
  std::map<int64_t, std::vector<float>> values; // of virtual tensors, in the order n, h, w, c

  void run(const Convolution& c, int engine);
  void run(const Addition& a);
  void run(const Attention& a, float scale);

private:
  char* at(const Tensor& t) { return static_cast<char*>(pointers.at(t.id)); }
  Heads heads(const Tensor& t) { return Heads{at(t), t.strides[0], t.strides[2]}; }
  void store(const Tensor& t, std::vector<float>& v);
};

} // namespace standin::cudnn

#endif
