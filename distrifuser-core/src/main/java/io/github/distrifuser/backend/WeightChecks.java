package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The demands that {@link Backend} makes of weights, the same for every backend. Each method throws
 * an {@link IllegalArgumentException} that names the file, the tensor and the expected and actual
 * shape, and returns {@link PreparedWeight#shape()}.
 */
public final class WeightChecks {
  private WeightChecks() {}

  /** {@link Backend#prepareLinear}: {@code [sum of out_i, in]}. */
  public static Shape linear(
      String name, List<WeightTensor> parts, @Nullable List<WeightTensor> biases, long... splits) {
    if (parts.isEmpty()) {
      throw new IllegalArgumentException("prepareLinear " + name + ": no parts");
    }
    if (biases != null && biases.size() != parts.size()) {
      throw new IllegalArgumentException(
          "prepareLinear " + name + ": " + parts.size() + " parts, " + biases.size() + " biases");
    }
    WeightTensor first = parts.get(0);
    long in = first.shape().rank() < 2 ? -1 : first.shape().dim(1);
    long out = 0;
    for (int i = 0; i < parts.size(); i++) {
      WeightTensor p = parts.get(i);
      Shape s = p.shape();
      boolean matrix = s.rank() == 2 || s.rank() == 4 && s.dim(2) == 1 && s.dim(3) == 1;
      if (!matrix || s.dim(1) != in) {
        throw mismatch(p, in < 0 ? "[out, in]" : "[out, " + in + "]");
      }
      number(p);
      if (biases != null) {
        vector(biases.get(i), s.dim(0));
      }
      out += s.dim(0);
    }
    for (long split : splits) {
      if (split < 0 || split > out) {
        throw new IllegalArgumentException(
            "prepareLinear " + name + ": split at row " + split + " of " + out);
      }
    }
    return Shape.of(out, in);
  }

  /** {@link Backend#prepareConv2d}: {@code [out, in, kh, kw]}. */
  public static Shape conv2d(WeightTensor weight, @Nullable WeightTensor bias) {
    number(weight);
    if (weight.shape().rank() != 4) {
      throw mismatch(weight, "[out, in, kh, kw]");
    }
    if (bias != null) {
      vector(bias, weight.shape().dim(0));
    }
    return weight.shape();
  }

  /** {@link Backend#prepareNorm}: {@code [channels]}. */
  public static Shape norm(WeightTensor weight, WeightTensor bias) {
    number(weight);
    if (weight.shape().rank() != 1) {
      throw mismatch(weight, "[channels]");
    }
    vector(bias, weight.shape().dim(0));
    return weight.shape();
  }

  /** {@link Backend#prepareEmbedding}: {@code [entries, width]}. */
  public static Shape embedding(WeightTensor table) {
    number(table);
    if (table.shape().rank() != 2) {
      throw mismatch(table, "[entries, width]");
    }
    return table.shape();
  }

  /**
   * Rows at which a linear weight may be cut, in order, without repetition: 0, the borders between
   * its parts, the splits, and the number of rows.
   */
  public static long[] cuts(List<WeightTensor> parts, long... splits) {
    TreeSet<Long> cuts = new TreeSet<>();
    long row = 0;
    cuts.add(row);
    for (WeightTensor p : parts) {
      row += p.shape().dim(0);
      cuts.add(row);
    }
    for (long split : splits) {
      cuts.add(split);
    }
    return cuts.stream().mapToLong(Long::longValue).toArray();
  }

  /** {@link PreparedWeight#rows}: both ends must be among the {@link #cuts}. */
  public static void rows(String name, long[] cuts, long from, long to) {
    boolean starts = false;
    boolean ends = false;
    for (long cut : cuts) {
      starts |= cut == from;
      ends |= cut == to;
    }
    if (!starts || !ends || from >= to) {
      throw new IllegalArgumentException(
          name + ": rows [" + from + ", " + to + "): expected two of " + Arrays.toString(cuts));
    }
  }

  private static void vector(WeightTensor t, long n) {
    number(t);
    Shape expected = Shape.of(n);
    if (!t.shape().equals(expected)) {
      throw mismatch(t, expected.toString());
    }
  }

  private static void number(WeightTensor t) {
    if (!t.dtype().isFloat()) {
      throw new IllegalArgumentException(
          t.source() + ": " + t.name() + ": expected F32, F16 or BF16, found " + t.dtype());
    }
  }

  private static IllegalArgumentException mismatch(WeightTensor t, String expected) {
    return new IllegalArgumentException(
        t.source() + ": " + t.name() + ": expected " + expected + ", found " + t.shape());
  }
}
