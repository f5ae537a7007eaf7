package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.backend.reference.ReferenceWeight.Kind;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns weights in torch's layout into {@link ReferenceWeight}s. */
final class WeightPreparation {
  private WeightPreparation() {}

  static ReferenceWeight linear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    Shape shape = WeightChecks.linear(name, parts, biases, splits);
    int out = shape.size(0);
    int in = shape.size(1);
    float[] values = new float[Math.toIntExact(shape.elements())];
    float[] bias = biases == null ? null : new float[out];
    int row = 0;
    for (int p = 0; p < parts.size(); p++) {
      float[] part = parts.get(p).toFloats();
      int rows = parts.get(p).shape().size(0);
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < in; i++) {
          values[i * out + row + r] = part[r * in + i];
        }
      }
      if (biases != null && bias != null) {
        System.arraycopy(biases.get(p).toFloats(), 0, bias, row, rows);
      }
      row += rows;
    }
    long[] cuts = WeightChecks.cuts(parts, splits);
    return ReferenceWeight.of(Kind.LINEAR, name, shape, values, bias, cuts);
  }

  static ReferenceWeight conv2d(String name, WeightTensor weight, @Nullable WeightTensor bias) {
    Shape shape = WeightChecks.conv2d(weight, bias);
    int out = shape.size(0);
    int in = shape.size(1);
    int area = Math.multiplyExact(shape.size(2), shape.size(3));
    float[] torch = weight.toFloats();
    float[] values = new float[torch.length];
    for (int o = 0; o < out; o++) {
      for (int i = 0; i < in; i++) {
        for (int k = 0; k < area; k++) {
          values[(k * in + i) * out + o] = torch[(o * in + i) * area + k];
        }
      }
    }
    float[] b = bias == null ? null : bias.toFloats();
    return ReferenceWeight.of(Kind.CONV2D, name, shape, values, b);
  }

  static ReferenceWeight norm(String name, WeightTensor weight, WeightTensor bias) {
    Shape shape = WeightChecks.norm(weight, bias);
    return ReferenceWeight.of(Kind.NORM, name, shape, weight.toFloats(), bias.toFloats());
  }

  static ReferenceWeight embedding(String name, WeightTensor table) {
    Shape shape = WeightChecks.embedding(table);
    return ReferenceWeight.of(Kind.EMBEDDING, name, shape, table.toFloats(), null);
  }
}
