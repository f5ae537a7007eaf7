package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;
import static io.github.distrifuser.backend.Layout.GAPPED;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** {@link Backend#groupNorm}, {@link Backend#groupNormWith} and {@link Backend#layerNorm}. */
public interface NormCases extends OperatorCases {

  private void groupNorm(Pair x, Weights w, int groups, Activation a, Pair out, Object what) {
    groupNorm(x, w, groups, a, out, rig().tolerance(), what);
  }

  private void groupNorm(
      Pair x, Weights w, int groups, Activation a, Pair out, Tolerance limits, Object what) {
    rig().tested.groupNorm(x.tested(), w.tested(), groups, 1e-5f, a, out.tested());
    rig().reference.groupNorm(x.expected(), w.expected(), groups, 1e-5f, a, out.expected());
    rig().check(out, limits, what);
  }

  @ParameterizedTest
  @CsvSource({
    // batch, h, w, channels, groups
    "1, 2, 1, 1, 1",
    "2, 7, 5, 33, 11",
    "3, 4, 4, 64, 32",
    "1, 16, 16, 32, 32",
    "2, 1, 9, 48, 4",
    "1, 9, 3, 10, 1"
  })
  default void groupNormOfAnySizeAndLayout(int b, int h, int w, int c, int groups) {
    Weights weights = rig().norm(DType.F32, c);
    for (Layout from : new Layout[] {DENSE, GAPPED}) {
      Pair x = rig().input(from, b, h, w, c);
      for (Layout to : new Layout[] {DENSE, GAPPED}) {
        Pair out = rig().output(to, b, h, w, c);
        groupNorm(x, weights, groups, Activation.SILU, out, from + " to " + to);
      }
      Pair tokens = rig().output(from, b, h * w, c);
      rig()
          .tested
          .groupNorm(
              x.tested().reshape(b, (long) h * w, c),
              weights.tested(),
              groups,
              1e-5f,
              Activation.NONE,
              tokens.tested());
      rig()
          .reference
          .groupNorm(
              x.expected().reshape(b, (long) h * w, c),
              weights.expected(),
              groups,
              1e-5f,
              Activation.NONE,
              tokens.expected());
      rig().check(tokens, from + " as tokens");
    }
  }

  @Test
  default void groupNormWithAnyActivationInPlace() {
    Weights w = rig().norm(DType.F32, 12);
    for (Activation a : Activation.values()) {
      for (Layout layout : new Layout[] {DENSE, GAPPED}) {
        Pair x = rig().input(layout, 2, 3, 5, 12);
        groupNorm(x, w, 4, a, rig().output(layout, 2, 3, 5, 12), a);
        groupNorm(x, w, 4, a, x, a + " in place");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  default void normsWithWeightsOfAnyType(DType dtype) {
    Weights w = rig().norm(dtype, 16);
    groupNorm(
        rig().input(DENSE, 1, 4, 3, 16),
        w,
        8,
        Activation.NONE,
        rig().output(DENSE, 1, 4, 3, 16),
        dtype);
    layerNorm(rig().input(DENSE, 5, 16), w, rig().output(DENSE, 5, 16), dtype);
  }

  /** E[x^2] - E[x]^2 in fp32 would lose everything here. */
  @Test
  default void meanFarAboveTheDeviation() {
    Weights w = rig().norm(DType.F32, 8);
    double mean = rig().tested.dtype() == DType.F32 ? 3000 : 30; // what the type can resolve
    Shape shape = Shape.of(2, 6, 5, 8);
    Pair x = rig().input(DENSE, shape, rig().randoms(shape.elements(), 1, mean));
    Tolerance limits = rig().tolerance().times(50); // the mean has one rounding of its own
    groupNorm(x, w, 4, Activation.NONE, rig().output(DENSE, 2, 6, 5, 8), limits, "group");
    Pair y = rig().output(DENSE, 2, 6, 5, 8);
    rig().tested.layerNorm(x.tested(), w.tested(), 1e-5f, y.tested());
    rig().reference.layerNorm(x.expected(), w.expected(), 1e-5f, y.expected());
    rig().check(y, limits, "layer");
  }

  @Test
  default void constantInputGivesTheBias() {
    Weights w = rig().norm(DType.F32, 6);
    float[] fives = new float[2 * 3 * 3 * 6];
    Arrays.fill(fives, 5);
    Pair x = rig().input(DENSE, Shape.of(2, 3, 3, 6), fives);
    groupNorm(x, w, 3, Activation.NONE, rig().output(DENSE, 2, 3, 3, 6), "group");
    layerNorm(x, w, rig().output(DENSE, 2, 3, 3, 6), "layer");
  }

  @Test
  default void groupNormWithGivenMoments() {
    Weights w = rig().norm(DType.F32, 15);
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      for (Activation a : new Activation[] {Activation.NONE, Activation.SILU}) {
        Pair x = rig().input(layout, 2, 4, 3, 15);
        float[] values = rig().randoms(2 * 5 * 2, 1, 0);
        for (int i = 1; i < values.length; i += 2) {
          values[i] = Math.abs(values[i]) + 0.3f;
        }
        Pair m = rig().floats(Shape.of(2, 5, 2), values);
        Pair out = rig().output(layout, 2, 4, 3, 15);
        for (Pair to : new Pair[] {out, x}) { // x: in place
          rig().tested.groupNormWith(x.tested(), m.tested(), w.tested(), 5, 1e-6f, a, to.tested());
          rig()
              .reference
              .groupNormWith(x.expected(), m.expected(), w.expected(), 5, 1e-6f, a, to.expected());
          rig().check(to, layout + " " + a);
        }
      }
    }
  }

  private void layerNorm(Pair x, Weights w, Pair out, Object what) {
    rig().tested.layerNorm(x.tested(), w.tested(), 1e-5f, out.tested());
    rig().reference.layerNorm(x.expected(), w.expected(), 1e-5f, out.expected());
    rig().check(out, what);
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 2", "3, 5, 33", "2, 7, 768", "1, 77, 64"})
  default void layerNormOfAnySizeAndLayout(int b, int length, int channels) {
    Weights w = rig().norm(DType.F32, channels);
    for (Layout from : new Layout[] {DENSE, GAPPED}) {
      Pair x = rig().input(from, b, length, channels);
      for (Layout to : new Layout[] {DENSE, GAPPED}) {
        layerNorm(x, w, rig().output(to, b, length, channels), from + " to " + to);
      }
    }
    layerNorm(rig().input(DENSE, channels), w, rig().output(DENSE, channels), "one row");
  }
}
