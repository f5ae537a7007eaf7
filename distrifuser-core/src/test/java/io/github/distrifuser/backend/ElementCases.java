package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;
import static io.github.distrifuser.backend.Layout.GAPPED;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Elementwise operators, resampling, joining and looking up. */
public interface ElementCases extends OperatorCases {

  @ParameterizedTest
  @EnumSource(Activation.class)
  default void activationElsewhereAndInPlace(Activation a) {
    long[][] shapes = {{1}, {129}, {3, 7}, {2, 3, 5, 33}};
    for (long[] dims : shapes) {
      for (Layout layout : new Layout[] {DENSE, GAPPED}) {
        if (dims.length == 1 && layout == GAPPED) {
          continue;
        }
        Pair x = rig().input(layout, dims);
        Pair out = rig().output(layout, dims);
        for (Pair to : new Pair[] {out, x}) {
          rig().tested.activation(x.tested(), a, to.tested());
          rig().reference.activation(x.expected(), a, to.expected());
          rig().check(to, layout + " " + Shape.of(dims));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      names = {"SILU", "GELU", "GELU_TANH", "QUICK_GELU", "RELU"})
  default void activationsOfLargeNumbersStayFinite(Activation a) {
    float[] values = {-1e4f, -500, -90, -20, -5, -0f, 0, 5, 20, 90, 500, 1e4f};
    Pair x = rig().input(DENSE, Shape.of(values.length), values);
    Pair out = rig().output(DENSE, values.length);
    rig().tested.activation(x.tested(), a, out.tested());
    rig().reference.activation(x.expected(), a, out.expected());
    rig().check(out, a);
  }

  @Test
  default void addScaledElsewhereAndInPlace() {
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      for (float scale : new float[] {1, -0.5f, 0}) {
        for (int place = 0; place < 3; place++) {
          Pair a = rig().input(layout, 2, 3, 5, 7);
          Pair b = rig().input(DENSE, 2, 3, 5, 7);
          Pair out = place == 0 ? rig().output(layout, 2, 3, 5, 7) : place == 1 ? a : b;
          rig().tested.addScaled(a.tested(), b.tested(), scale, out.tested());
          rig().reference.addScaled(a.expected(), b.expected(), scale, out.expected());
          rig().check(out, layout + " " + scale + " place " + place);
        }
      }
    }
  }

  @Test
  default void scaleElsewhereAndInPlace() {
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      Pair a = rig().input(layout, 3, 5, 7);
      Pair out = rig().output(layout, 3, 5, 7);
      for (Pair to : new Pair[] {out, a}) {
        rig().tested.scale(a.tested(), -1.75f, to.tested());
        rig().reference.scale(a.expected(), -1.75f, to.expected());
        rig().check(to, layout);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    // batch, h, w, channels, rows cut, columns cut
    "1, 1, 1, 1, 0, 0",
    "2, 3, 5, 7, 0, 0",
    "2, 3, 5, 8, 1, 0",
    "1, 4, 2, 33, 0, 1",
    "3, 2, 3, 4, 1, 1",
    "1, 1, 1, 3, 1, 1"
  })
  default void upsampleToAnySize(int b, int h, int w, int c, int cutRows, int cutColumns) {
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      Pair x = rig().input(layout, b, h, w, c);
      Pair out = rig().output(layout, b, 2L * h - cutRows, 2L * w - cutColumns, c);
      rig().tested.upsampleNearest2x(x.tested(), out.tested());
      rig().reference.upsampleNearest2x(x.expected(), out.expected());
      rig().check(out, new Tolerance(0, 0), layout);
    }
  }

  @Test
  default void concatOfOneTwoAndThreeParts() {
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      Pair a = rig().input(layout, 2, 3, 5, 4);
      Pair b = rig().input(DENSE, 2, 3, 5, 1);
      Pair c = rig().input(layout, 2, 3, 5, 33);
      List<List<Pair>> lists = List.of(List.of(a), List.of(a, c), List.of(c, b, a));
      for (List<Pair> parts : lists) {
        long channels = parts.stream().mapToLong(p -> p.tested().shape().dim(-1)).sum();
        Pair out = rig().output(layout, 2, 3, 5, channels);
        rig().tested.concatChannels(parts.stream().map(Pair::tested).toList(), out.tested());
        rig().reference.concatChannels(parts.stream().map(Pair::expected).toList(), out.expected());
        rig().check(out, new Tolerance(0, 0), layout + " " + parts.size() + " parts");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  default void embeddingLooksUpRows(DType dtype) {
    Weights table = rig().embedding(dtype, 11, 7);
    int[] ids = {10, 0, 3, 3, 5, 10};
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      Pair out = rig().output(layout, 2, 3, 7);
      rig().tested.embedding(ids, table.tested(), out.tested());
      rig().reference.embedding(ids, table.expected(), out.expected());
      rig().check(out, layout);
    }
  }
}
