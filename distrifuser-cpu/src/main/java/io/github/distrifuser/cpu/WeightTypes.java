package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** In which type weights are kept: as they are found, where oneDNN multiplies fast with it. */
final class WeightTypes {
  private record Product(DType activations, DType weights, long in, long out) {}

  private static final Map<Product, Boolean> FAST = new ConcurrentHashMap<>();

  private WeightTypes() {}

  /**
   * For linear layers; all parts get one type.
   *
   * @param splits rows at which the matrix may be cut, beyond its parts
   */
  static DType linear(DType activations, List<WeightTensor> parts, long... splits) {
    DType common = parts.isEmpty() ? activations : parts.get(0).dtype();
    TreeSet<Long> cuts = new TreeSet<>();
    long row = 0;
    for (WeightTensor p : parts) {
      common = p.dtype() == common ? common : DType.F32;
      cuts.add(row);
      row += p.shape().rank() == 0 ? 0 : p.shape().dim(0);
    }
    DType wanted = convolution(activations, common);
    if (parts.isEmpty() || parts.get(0).shape().rank() < 2 || wanted == activations) {
      return wanted;
    }
    long in = parts.get(0).shape().dim(1);
    cuts.add(row);
    for (long s : splits) {
      cuts.add(s);
    }
    long from = 0;
    for (long to : cuts) {
      if (to > from && !isFast(new Product(activations, wanted, in, to - from))) {
        return activations;
      }
      from = to;
    }
    return isFast(new Product(activations, wanted, in, row)) ? wanted : activations;
  }

  private static boolean isFast(Product p) {
    return FAST.computeIfAbsent(p, k -> MatmulOps.isFast(k.activations, k.weights, k.in, k.out));
  }

  /** For convolutions. */
  static DType convolution(DType activations, DType found) {
    if (activations != DType.F32) {
      return activations;
    }
    return found;
  }
}
