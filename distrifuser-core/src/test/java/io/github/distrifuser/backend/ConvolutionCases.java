package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;
import static io.github.distrifuser.backend.Layout.GAPPED;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** {@link Backend#conv2d}. */
public interface ConvolutionCases extends OperatorCases {

  private static @Nullable Tensor tested(@Nullable Pair p) {
    return p == null ? null : p.tested();
  }

  private static @Nullable Tensor expected(@Nullable Pair p) {
    return p == null ? null : p.expected();
  }

  private void conv(
      Pair x,
      Weights w,
      Conv2dGeometry g,
      @Nullable Pair channelBias,
      @Nullable Pair residual,
      Pair out,
      Object what) {
    rig()
        .tested
        .conv2d(x.tested(), w.tested(), g, tested(channelBias), tested(residual), out.tested());
    rig()
        .reference
        .conv2d(
            x.expected(),
            w.expected(),
            g,
            expected(channelBias),
            expected(residual),
            out.expected());
    rig().check(out, what);
  }

  /** Every combination of extra bias, residual and gaps for one size. */
  private void conv(
      int b, int h, int w, int in, int out, int k, Conv2dGeometry g, boolean bias, DType dtype) {
    Weights weights = rig().conv(dtype, bias, in, out, k);
    int oh = g.outHeight(h, k);
    int ow = g.outWidth(w, k);
    for (Layout layout : new Layout[] {DENSE, GAPPED}) {
      Pair x = rig().input(layout, b, h, w, in);
      Pair channelBias = rig().input(layout, b, out);
      Pair residual = rig().input(layout, b, oh, ow, out);
      conv(x, weights, g, null, null, rig().output(layout, b, oh, ow, out), layout);
      conv(
          x,
          weights,
          g,
          channelBias,
          null,
          rig().output(layout, b, oh, ow, out),
          layout + " channel bias");
      conv(
          x,
          weights,
          g,
          null,
          residual,
          rig().output(layout, b, oh, ow, out),
          layout + " residual");
      Pair both = rig().output(layout, b, oh, ow, out);
      conv(x, weights, g, channelBias, residual, both, layout + " channel bias, residual");
      rig()
          .tested
          .conv2d(
              x.tested(),
              weights.tested(),
              g,
              channelBias.tested(),
              residual.tested(),
              residual.tested());
      rig()
          .close(
              rig().reference.toFloats(both.expected()), residual.tested(), layout + " in place");
    }
  }

  @ParameterizedTest
  @CsvSource({
    // batch, h, w, in, out, kernel, stride, padding
    "1, 1, 1, 1, 1, 1, 1, 0",
    "1, 1, 1, 3, 5, 3, 1, 1",
    "2, 7, 5, 4, 33, 3, 1, 1",
    "3, 7, 5, 33, 8, 1, 1, 0",
    "1, 8, 8, 16, 16, 3, 2, 1",
    "2, 7, 5, 32, 32, 3, 2, 1",
    "1, 9, 4, 64, 48, 3, 1, 1",
    "2, 5, 7, 3, 4, 1, 2, 0",
    "1, 12, 10, 4, 20, 5, 1, 2",
    "1, 16, 16, 40, 3, 3, 1, 1"
  })
  default void convolutionOfAnySize(
      int b, int h, int w, int in, int out, int k, int stride, int padding) {
    conv(b, h, w, in, out, k, Conv2dGeometry.of(stride, padding), true, DType.F32);
  }

  @ParameterizedTest
  @CsvSource({
    // stride, top, bottom, left, right
    "2, 0, 1, 0, 1",
    "1, 0, 1, 1, 1",
    "1, 1, 0, 1, 1",
    "1, 0, 0, 1, 1",
    "1, 1, 1, 0, 0",
    "2, 1, 0, 0, 0",
    "1, 2, 0, 0, 2"
  })
  default void convolutionWithAsymmetricPadding(
      int stride, int top, int bottom, int left, int right) {
    Conv2dGeometry g = new Conv2dGeometry(stride, top, bottom, left, right);
    conv(2, 7, 6, 5, 9, 3, g, true, DType.F32);
    conv(1, 6, 8, 16, 16, 3, g, false, DType.F32);
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  default void convolutionWithWeightsOfAnyType(DType dtype) {
    conv(2, 5, 4, 8, 12, 3, Conv2dGeometry.of(1, 1), true, dtype);
    conv(1, 5, 4, 8, 12, 1, Conv2dGeometry.of(1, 0), false, dtype);
  }

  @Test
  default void oneWeightServesImagesOfManySizes() {
    Weights w = rig().conv(DType.F32, true, 6, 10, 3);
    for (int i = 0; i < 2; i++) {
      for (int h = 1; h < 8; h += 2) {
        Pair out = rig().output(DENSE, 1, h, h + 3, 10);
        Pair x = rig().input(DENSE, 1, h, h + 3, 6);
        conv(x, w, Conv2dGeometry.of(1, 1), null, null, out, "height " + h);
      }
    }
  }

  /** The rows of a patch with its neighbours' rows give what the whole image gives there. */
  @Test
  default void patchesWithHalosGiveTheWholeImage() {
    Weights w = rig().conv(DType.F32, true, 4, 6, 3);
    Pair x = rig().input(DENSE, 2, 12, 5, 4);
    Conv2dGeometry g = Conv2dGeometry.of(1, 1);
    Pair whole = rig().output(DENSE, 2, 12, 5, 6);
    conv(x, w, g, null, null, whole, "whole");
    int[] bounds = {0, 4, 7, 12};
    for (int p = 0; p + 1 < bounds.length; p++) {
      int top = p == 0 ? 1 : 0;
      int bottom = bounds[p + 1] == 12 ? 1 : 0;
      Tensor rows = x.tested().slice(1, bounds[p] - 1 + top, bounds[p + 1] + 1 - bottom);
      try (Tensor out = rig().tested.allocate(2, bounds[p + 1] - bounds[p], 5, 6)) {
        rig().tested.conv2d(rows, w.tested(), g.withRows(top, bottom), null, null, out);
        Tensor expected = whole.expected().slice(1, bounds[p], bounds[p + 1]);
        rig().close(rig().reference.toFloats(expected), out, "patch " + p);
      }
    }
  }
}
