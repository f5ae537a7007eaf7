package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;
import static io.github.distrifuser.backend.Layout.GAPPED;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.tensor.TensorAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@link Backend#groupMoments} and {@link Backend#combineMoments}. */
public interface MomentCases extends OperatorCases {
  /** Moments are F32 for any type of activations. */
  Tolerance TIGHT = new Tolerance(3e-6, 3e-6);

  private void moments(Pair x, int groups, Tolerance limits, Object what) {
    Shape shape = Shape.of(x.tested().shape().dim(0), groups, 2);
    Pair m = rig().floats(shape, new float[(int) shape.elements()]);
    rig().tested.groupMoments(x.tested(), groups, m.tested());
    rig().reference.groupMoments(x.expected(), groups, m.expected());
    float[] expected = rig().reference.toFloats(m.expected());
    float[] actual = rig().tested.toFloats(m.tested());
    TensorAssertions.assertAllClose(expected, actual, limits.atol(), limits.rtol(), what);
  }

  @ParameterizedTest
  @CsvSource({
    // batch, h, w, channels, groups
    "1, 1, 1, 1, 1",
    "2, 7, 5, 33, 11",
    "3, 4, 4, 64, 32",
    "1, 32, 16, 32, 8",
    "1, 5, 3, 10, 1"
  })
  default void momentsOfAnySizeAndLayout(int b, int h, int w, int c, int groups) {
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      moments(rig().input(layout, b, h, w, c), groups, TIGHT, layout);
    }
  }

  @Test
  default void momentsWithAMeanFarAboveTheDeviation() {
    double mean = rig().tested.dtype() == DType.F32 ? 3000 : 30;
    Shape shape = Shape.of(2, 16, 9, 8);
    Pair x = rig().input(DENSE, shape, rig().randoms(shape.elements(), 1, mean));
    moments(x, 4, new Tolerance(1e-4, 1e-6), "mean " + mean);
  }

  @Test
  default void groupNormIsMomentsAndGroupNormWith() {
    Weights w = rig().norm(DType.F32, 12);
    Pair x = rig().input(DENSE, 2, 5, 3, 12);
    Pair m = rig().floats(Shape.of(2, 3, 2), new float[12]);
    Pair out = rig().output(DENSE, 2, 5, 3, 12);
    rig().tested.groupMoments(x.tested(), 3, m.tested());
    rig()
        .tested
        .groupNormWith(x.tested(), m.tested(), w.tested(), 3, 1e-5f, Activation.SILU, out.tested());
    rig()
        .reference
        .groupNorm(x.expected(), w.expected(), 3, 1e-5f, Activation.SILU, out.expected());
    rig().check(out, "in two calls");
  }

  /** Moments of unequal patches {@code [patches, b, groups, 2]} of an image, and its own. */
  private Pair patchMoments(Pair image, int[] bounds, int groups) {
    int patches = bounds.length - 1;
    int b = image.tested().size(0);
    Pair all = rig().floats(Shape.of(patches, b, groups, 2), new float[patches * b * groups * 2]);
    for (int p = 0; p < patches; p++) {
      Tensor rows = image.tested().slice(1, bounds[p], bounds[p + 1]);
      Tensor m = all.tested().slice(0, p, p + 1).reshape(b, groups, 2);
      rig().tested.groupMoments(rows, groups, m);
    }
    return all;
  }

  @Test
  default void freshMomentsOfPatchesAreTheWholeImages() {
    Pair x = rig().input(DENSE, 2, 12, 5, 6);
    int[] bounds = {0, 2, 7, 12};
    double[] weights = {2 / 12.0, 5 / 12.0, 5 / 12.0};
    Pair all = patchMoments(x, bounds, 3);
    Pair whole = rig().floats(Shape.of(2, 3, 2), new float[12]);
    rig().reference.groupMoments(x.expected(), 3, whole.expected());
    for (int p = 0; p < 3; p++) {
      Tensor own = all.tested().slice(0, p, p + 1).reshape(2, 3, 2);
      rig().tested.combineMoments(MomentRule.FRESH, all.tested(), own, weights, p, whole.tested());
      closeMoments(rig().reference.toFloats(whole.expected()), whole.tested(), "patch " + p);
    }
  }

  private void closeMoments(float[] expected, Tensor actual, Object what) {
    TensorAssertions.assertAllClose(
        expected, rig().tested.toFloats(actual), TIGHT.atol(), TIGHT.rtol(), what);
  }

  /** One group, two patches of weights 1/4 and 3/4; E[x], E[x^2] worked out by hand. */
  @Test
  default void staleAndCorrectedMomentsByHand() {
    Pair all = rig().floats(Shape.of(2, 1, 1, 2), new float[] {1, 2, 3, 4}); // squares 3, 13
    Pair own = rig().floats(Shape.of(1, 1, 2), new float[] {2, 1}); // square 5
    Pair out = rig().floats(Shape.of(1, 1, 2), new float[2]);
    double[] weights = {0.25, 0.75};
    rig()
        .tested
        .combineMoments(MomentRule.STALE, all.tested(), own.tested(), weights, 0, out.tested());
    // mean (2 + 3 * 3) / 4 = 2.75, square (5 + 3 * 13) / 4 = 11
    closeMoments(new float[] {2.75f, 11 - 2.75f * 2.75f}, out.tested(), "stale");
    rig()
        .tested
        .combineMoments(MomentRule.CORRECTED, all.tested(), own.tested(), weights, 0, out.tested());
    // mean 2.5 + (2 - 1) = 3.5, square 10.5 + (5 - 3) = 12.5
    closeMoments(new float[] {3.5f, 12.5f - 12.25f}, out.tested(), "corrected");
    Pair jumped = rig().floats(Shape.of(1, 1, 2), new float[] {9, 0.5f}); // square 81.5
    rig()
        .tested
        .combineMoments(
            MomentRule.CORRECTED, all.tested(), jumped.tested(), weights, 0, out.tested());
    // mean 2.5 + 8 = 10.5, square 10.5 + 78.5 = 89 < 110.25: the own variance serves
    closeMoments(new float[] {10.5f, 0.5f}, out.tested(), "negative");
  }
}
