package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** {@link Backend#linear}, {@link Backend#geglu} and row slices of stacked weights. */
public interface LinearCases extends OperatorCases {

  private void linear(Pair x, Weights w, Activation a, Pair out, Object what) {
    rig().tested.linear(x.tested(), w.tested(), a, null, out.tested());
    rig().reference.linear(x.expected(), w.expected(), a, null, out.expected());
    rig().check(out, what);
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "1, 7, 5", "35, 33, 7", "5, 320, 64", "3, 64, 129", "77, 48, 40"})
  default void linearOfAnySizeWithAnyActivation(int rows, int in, int out) {
    Weights w = rig().linear(in, out);
    Pair x = rig().input(DENSE, rows, in);
    for (Activation a : Activation.values()) {
      linear(x, w, a, rig().output(DENSE, rows, out), a);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  default void linearWithWeightsOfAnyType(DType dtype) {
    for (boolean bias : new boolean[] {true, false}) {
      Weights w = rig().linear(dtype, bias, 24, 17);
      linear(rig().input(DENSE, 6, 24), w, Activation.NONE, rig().output(DENSE, 6, 17), bias);
    }
  }

  @Test
  default void linearOfAnyRank() {
    Weights w = rig().linear(6, 9);
    long[][] leading = {{}, {4}, {2, 3}, {2, 3, 5}};
    for (long[] lead : leading) {
      long[] in = Arrays.copyOf(lead, lead.length + 1);
      long[] out = in.clone();
      in[lead.length] = 6;
      out[lead.length] = 9;
      linear(rig().input(DENSE, in), w, Activation.SILU, rig().output(DENSE, out), Shape.of(in));
    }
  }

  @Test
  default void linearInAnyLayout() {
    Weights w = rig().linear(10, 7);
    for (Layout from : Layout.values()) {
      Pair x = rig().input(from, 3, 5, 10);
      for (Layout to : Layout.values()) {
        linear(x, w, Activation.NONE, rig().output(to, 3, 5, 7), from + " to " + to);
      }
    }
  }

  @Test
  default void linearAddsAResidualAfterTheActivation() {
    Weights w = rig().linear(12, 9);
    for (Layout layout : Layout.values()) {
      for (Activation a : new Activation[] {Activation.NONE, Activation.GELU}) {
        Pair x = rig().input(layout, 2, 5, 12);
        Pair residual = rig().input(layout, 2, 5, 9);
        Pair out = rig().output(layout, 2, 5, 9);
        rig().tested.linear(x.tested(), w.tested(), a, residual.tested(), out.tested());
        rig().reference.linear(x.expected(), w.expected(), a, residual.expected(), out.expected());
        rig().check(out, layout + " " + a + " residual elsewhere");
        rig().tested.linear(x.tested(), w.tested(), a, residual.tested(), residual.tested());
        rig()
            .close(
                rig().reference.toFloats(out.expected()),
                residual.tested(),
                layout + " " + a + " residual in place");
      }
    }
  }

  @Test
  default void linearAgainAndAgainGivesTheSame() {
    Weights w = rig().linear(33, 21);
    Pair x = rig().input(DENSE, 13, 33);
    Pair out = rig().output(DENSE, 13, 21);
    linear(x, w, Activation.SILU, out, "first");
    float[] first = rig().tested.toFloats(out.tested());
    for (int i = 0; i < 3; i++) {
      linear(rig().input(DENSE, 4 + i, 33), w, Activation.NONE, rig().output(DENSE, 4 + i, 21), i);
      linear(x, w, Activation.SILU, out, "again " + i);
      assertArrayEquals(first, rig().tested.toFloats(out.tested()));
    }
  }

  @Test
  default void rowSlicesOfStackedWeightsAreTheirParts() {
    long[] outs = {5, 8, 3};
    for (boolean bias : new boolean[] {true, false}) {
      Weights all = rig().linear(DType.F32, bias, 14, outs);
      assertEquals(Shape.of(16, 14), all.tested().shape());
      Pair x = rig().input(DENSE, 2, 5, 14);
      Pair whole = rig().output(DENSE, 2, 5, 16);
      linear(x, all, Activation.NONE, whole, "whole");
      long[][] ranges = {{0, 5}, {5, 13}, {13, 16}, {0, 13}, {5, 16}, {0, 16}};
      for (long[] r : ranges) {
        Weights w = all.rows(r[0], r[1]);
        assertEquals(Shape.of(r[1] - r[0], 14), w.tested().shape());
        Pair out = rig().output(DENSE, 2, 5, r[1] - r[0]);
        linear(x, w, Activation.NONE, out, "rows " + r[0] + " to " + r[1]);
        rig()
            .close(
                rig().reference.toFloats(whole.expected().slice(-1, r[0], r[1])),
                out.tested(),
                "columns of the whole");
        w.tested().close(); // owns nothing: the next slice still works
      }
      Weights inner = all.rows(5, 16).rows(8, 11);
      linear(x, inner, Activation.NONE, rig().output(DENSE, 2, 5, 3), "slice of a slice");
    }
  }

  @Test
  default void rowSlicesCutAtSplitsAndNowhereElse() {
    WeightTensor part =
        OperatorRig.weight("m.weight", DType.F32, Shape.of(12, 4), rig().randoms(48, 1, 0));
    Weights w = rig().linear(List.of(part), null, 7);
    linear(
        rig().input(DENSE, 3, 4),
        w.rows(7, 12),
        Activation.NONE,
        rig().output(DENSE, 3, 5),
        "rows 7 to 12");
    assertThrows(IllegalArgumentException.class, () -> w.tested().rows(0, 6));
    assertThrows(IllegalArgumentException.class, () -> w.tested().rows(7, 13));
    assertThrows(IllegalArgumentException.class, () -> w.tested().rows(7, 7));
    PreparedWeight norm = rig().norm(DType.F32, 12).tested();
    assertThrows(UnsupportedOperationException.class, () -> norm.rows(0, 12));
  }

  @Test
  default void pointwiseConvolutionsAreLinear() {
    float[] values = rig().randoms(15, 1, 0);
    WeightTensor flat = OperatorRig.weight("m.weight", DType.F32, Shape.of(3, 5), values);
    WeightTensor conv = OperatorRig.weight("m.weight", DType.F32, Shape.of(3, 5, 1, 1), values);
    Weights w = rig().linear(List.of(conv, flat), null);
    assertEquals(Shape.of(6, 5), w.tested().shape());
    Pair x = rig().input(DENSE, 4, 5);
    linear(x, w, Activation.NONE, rig().output(DENSE, 4, 6), "both forms");
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1, 1", "1, 5, 7, 3", "2, 35, 33, 21", "3, 16, 64, 256"})
  default void gegluOfAnySize(int batch, int length, int in, int out) {
    Weights w = rig().linear(in, out, out);
    for (Layout layout : new Layout[] {DENSE, Layout.GAPPED}) {
      Pair x = rig().input(layout, batch, length, in);
      Pair y = rig().output(layout, batch, length, out);
      rig().tested.geglu(x.tested(), w.tested(), y.tested());
      rig().reference.geglu(x.expected(), w.expected(), y.expected());
      rig().check(y, rig().tolerance().times(2), layout);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  default void gegluSplitsOnePartAtTheHalf(DType dtype) {
    WeightTensor part =
        OperatorRig.weight("m.weight", dtype, Shape.of(22, 9), rig().randoms(198, 0.33, 0));
    WeightTensor bias = OperatorRig.weight("m.bias", dtype, Shape.of(22), rig().randoms(22, 1, 0));
    Weights w = rig().linear(List.of(part), List.of(bias), 11);
    Pair x = rig().input(DENSE, 2, 3, 9);
    Pair y = rig().output(DENSE, 2, 3, 11);
    rig().tested.geglu(x.tested(), w.tested(), y.tested());
    rig().reference.geglu(x.expected(), w.expected(), y.expected());
    rig().check(y, rig().tolerance().times(2), dtype);
  }
}
