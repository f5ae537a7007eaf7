package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The demands that {@link Backend} makes of the arguments of its operators, the same for every
 * backend: shapes, types, gaps, overlaps. A backend calls the method of the operator's name before
 * it computes.
 *
 * <p>Each method throws an {@link IllegalArgumentException} that names the operator, the weight and
 * the argument and prints what was expected and what was found, and an {@link
 * IllegalStateException} for a tensor that is closed. {@code dtype} is the type of activations.
 */
public final class OperatorChecks {
  private OperatorChecks() {}

  /** {@link Backend#linear}. */
  public static void linear(
      DType dtype, Tensor x, PreparedWeight w, @Nullable Tensor residual, Tensor out) {
    CallChecks c = new CallChecks("linear", w, dtype);
    c.weightRank(2, "[out, in]");
    Shape expected = rowsIn(c, x, w.shape().dim(1)).with(-1, w.shape().dim(0));
    rowsOut(c, x, out, expected);
    if (residual != null) {
      c.shape("residual", residual, expected);
      c.spacedRows("residual", residual);
      c.sameOrDisjoint("residual", residual, out);
    }
  }

  /** {@link Backend#geglu}. */
  public static void geglu(DType dtype, Tensor x, PreparedWeight w, Tensor out) {
    CallChecks c = new CallChecks("geglu", w, dtype);
    c.weightRank(2, "[2 * out, in]");
    if (w.shape().dim(0) % 2 != 0) {
      throw c.bad("weight", "expected an even number of rows, found " + w.shape());
    }
    rowsOut(c, x, out, rowsIn(c, x, w.shape().dim(1)).with(-1, w.shape().dim(0) / 2));
    c.denseBatches("x", x);
    c.denseBatches("out", out);
  }

  private static Shape rowsIn(CallChecks c, Tensor x, long in) {
    c.lastDim("x", x, "..", 1, Integer.MAX_VALUE, in);
    c.spacedRows("x", x);
    return x.shape();
  }

  private static void rowsOut(CallChecks c, Tensor x, Tensor out, Shape expected) {
    c.shape("out", out, expected);
    c.spacedRows("out", out);
    c.disjoint("x", x, out);
  }

  /** {@link Backend#conv2d}. */
  public static void conv2d(
      DType dtype,
      Tensor x,
      PreparedWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    CallChecks c = new CallChecks("conv2d", w, dtype);
    c.weightRank(4, "[out, in, kh, kw]");
    c.lastDim("x", x, "b, h, w", 4, 4, w.shape().dim(1));
    c.denseBatches("x", x);
    int kh = w.shape().size(2);
    int kw = w.shape().size(3);
    int h = x.size(1);
    int wide = x.size(2);
    if (h + geometry.top() + geometry.bottom() < kh
        || wide + geometry.left() + geometry.right() < kw) {
      throw c.bad(
          "x",
          "expected at least " + kh + " x " + kw + " pixels with " + geometry + ", found " + x);
    }
    long b = x.shape().dim(0);
    long channels = w.shape().dim(0);
    Shape expected = Shape.of(b, geometry.outHeight(h, kh), geometry.outWidth(wide, kw), channels);
    c.shape("out", out, expected);
    c.denseBatches("out", out);
    c.disjoint("x", x, out);
    if (channelBias != null) {
      c.shape("channelBias", channelBias, Shape.of(b, channels));
      c.denseBatches("channelBias", channelBias);
      c.disjoint("channelBias", channelBias, out);
    }
    if (residual != null) {
      c.shape("residual", residual, expected);
      c.denseBatches("residual", residual);
      c.sameOrDisjoint("residual", residual, out);
    }
  }

  /** {@link Backend#groupNorm}. */
  public static void groupNorm(
      DType dtype, Tensor x, PreparedWeight affine, int groups, Tensor out) {
    CallChecks c = new CallChecks("groupNorm", affine, dtype);
    groups(c, x, groups);
    c.weightShape(Shape.of(x.shape().dim(-1)));
    samePlace(c, x, out);
  }

  /** {@link Backend#groupMoments}. */
  public static void groupMoments(DType dtype, Tensor x, int groups, Tensor moments) {
    CallChecks c = new CallChecks("groupMoments", null, dtype);
    groups(c, x, groups);
    moments(c, x, groups, moments);
    c.disjoint("x", x, moments);
  }

  /** {@link Backend#groupNormWith}. */
  public static void groupNormWith(
      DType dtype, Tensor x, Tensor moments, PreparedWeight affine, int groups, Tensor out) {
    CallChecks c = new CallChecks("groupNormWith", affine, dtype);
    groups(c, x, groups);
    moments(c, x, groups, moments);
    c.weightShape(Shape.of(x.shape().dim(-1)));
    samePlace(c, x, out);
    c.disjoint("moments", moments, out);
  }

  private static void groups(CallChecks c, Tensor x, int groups) {
    c.rank("x", x, "[b, h, w, c] or [b, l, c]", 3, 4);
    c.denseBatches("x", x);
    if (groups < 1 || x.shape().dim(-1) % groups != 0) {
      throw c.bad("x", "expected channels in " + groups + " equal groups, found " + x);
    }
  }

  private static void moments(CallChecks c, Tensor x, int groups, Tensor moments) {
    c.shape("moments", moments, DType.F32, Shape.of(x.shape().dim(0), groups, 2));
    c.dense("moments", moments);
  }

  private static void samePlace(CallChecks c, Tensor x, Tensor out) {
    c.shape("out", out, x.shape());
    c.denseBatches("out", out);
    c.sameOrDisjoint("x", x, out);
  }

  /** {@link Backend#combineMoments}. */
  public static void combineMoments(
      Tensor all, Tensor own, double[] weights, int index, Tensor out) {
    CallChecks c = new CallChecks("combineMoments", null, DType.F32);
    c.rank("own", own, "[b, groups, 2]", 3, 3);
    c.shape("own", own, own.shape().with(2, 2));
    Shape s = own.shape();
    c.shape("all", all, Shape.of(weights.length, s.dim(0), s.dim(1), 2));
    c.shape("out", out, s);
    if (index < 0 || index >= weights.length) {
      throw c.bad("index", "expected 0 to " + (weights.length - 1) + ", found " + index);
    }
  }

  /** {@link Backend#layerNorm}. */
  public static void layerNorm(DType dtype, Tensor x, PreparedWeight affine, Tensor out) {
    CallChecks c = new CallChecks("layerNorm", affine, dtype);
    c.weightRank(1, "[c]");
    c.lastDim("x", x, "..", 1, Integer.MAX_VALUE, affine.shape().dim(0));
    c.denseBatches("x", x);
    c.shape("out", out, x.shape());
    c.denseBatches("out", out);
    c.disjoint("x", x, out);
  }

  /** {@link Backend#attention}. */
  public static void attention(DType dtype, Tensor q, Tensor k, Tensor v, int heads, Tensor out) {
    CallChecks c = new CallChecks("attention", null, dtype);
    c.rank("q", q, "[b, lq, heads * d]", 3, 3);
    long b = q.shape().dim(0);
    if (heads < 1 || q.shape().dim(2) % heads != 0) {
      throw c.bad("q", "expected channels in " + heads + " equal heads, found " + q);
    }
    c.rank("k", k, "[b, lk, heads * d]", 3, 3);
    c.shape("k", k, Shape.of(b, k.shape().dim(1), q.shape().dim(2)));
    if (k.shape().dim(1) == 0) {
      throw c.bad("k", "expected at least one key, found " + k);
    }
    c.rank("v", v, "[b, lk, heads * dv]", 3, 3);
    c.shape("v", v, Shape.of(b, k.shape().dim(1), v.shape().dim(2)));
    if (v.shape().dim(2) % heads != 0) {
      throw c.bad("v", "expected channels in " + heads + " equal heads, found " + v);
    }
    c.shape("out", out, Shape.of(b, q.shape().dim(1), v.shape().dim(2)));
    c.spacedRows("q", q);
    c.spacedRows("k", k);
    c.spacedRows("v", v);
    c.spacedRows("out", out);
    c.disjoint("q", q, out);
    c.disjoint("k", k, out);
    c.disjoint("v", v, out);
  }

  /** {@link Backend#activation}. */
  public static void activation(DType dtype, Tensor x, Tensor out) {
    CallChecks c = new CallChecks("activation", null, dtype);
    c.rank("x", x, "[..]", 0, Integer.MAX_VALUE);
    c.denseBatches("x", x);
    samePlace(c, x, out);
  }

  /** {@link Backend#addScaled}. */
  public static void addScaled(DType dtype, Tensor a, Tensor b, Tensor out) {
    CallChecks c = new CallChecks("addScaled", null, dtype);
    c.rank("a", a, "[..]", 0, Integer.MAX_VALUE);
    c.denseBatches("a", a);
    c.shape("b", b, a.shape());
    c.denseBatches("b", b);
    c.shape("out", out, a.shape());
    c.denseBatches("out", out);
    c.sameOrDisjoint("a", a, out);
    c.sameOrDisjoint("b", b, out);
  }

  /** {@link Backend#scale}. */
  public static void scale(DType dtype, Tensor a, Tensor out) {
    CallChecks c = new CallChecks("scale", null, dtype);
    c.rank("a", a, "[..]", 0, Integer.MAX_VALUE);
    c.denseBatches("a", a);
    c.shape("out", out, a.shape());
    c.denseBatches("out", out);
    c.sameOrDisjoint("a", a, out);
  }

  /** {@link Backend#upsampleNearest2x}. */
  public static void upsampleNearest2x(DType dtype, Tensor x, Tensor out) {
    CallChecks c = new CallChecks("upsampleNearest2x", null, dtype);
    c.rank("x", x, "[b, h, w, c]", 4, 4);
    c.denseBatches("x", x);
    c.rank("out", out, "[b, 2h or 2h - 1, 2w or 2w - 1, c]", 4, 4);
    c.denseBatches("out", out);
    Shape s = x.shape();
    Shape o = out.shape();
    long cutRows = 2 * s.dim(1) - o.dim(1);
    long cutColumns = 2 * s.dim(2) - o.dim(2);
    if (o.dim(0) != s.dim(0)
        || o.dim(3) != s.dim(3)
        || cutRows < 0
        || cutRows > 1
        || cutColumns < 0
        || cutColumns > 1) {
      Shape full = Shape.of(s.dim(0), 2 * s.dim(1), 2 * s.dim(2), s.dim(3));
      throw c.mismatch("out", dtype + full.toString() + " or one row or column less", out);
    }
    c.disjoint("x", x, out);
  }

  /** {@link Backend#concatChannels}. */
  public static void concatChannels(DType dtype, List<Tensor> parts, Tensor out) {
    CallChecks c = new CallChecks("concatChannels", null, dtype);
    if (parts.isEmpty()) {
      throw c.bad("parts", "expected at least one, found none");
    }
    c.rank("out", out, "[b, h, w, c]", 4, 4);
    c.denseBatches("out", out);
    long channels = 0;
    for (int i = 0; i < parts.size(); i++) {
      Tensor p = parts.get(i);
      String role = "part " + i;
      c.rank(role, p, "[b, h, w, c]", 4, 4);
      c.shape(role, p, out.shape().with(-1, p.shape().dim(-1)));
      c.denseBatches(role, p);
      c.disjoint(role, p, out);
      channels += p.shape().dim(-1);
    }
    c.shape("out", out, out.shape().with(-1, channels));
  }

  /** {@link Backend#embedding}. */
  public static void embedding(DType dtype, int[] ids, PreparedWeight table, Tensor out) {
    CallChecks c = new CallChecks("embedding", table, dtype);
    c.weightRank(2, "[entries, width]");
    c.lastDim("out", out, "b, l", 3, 3, table.shape().dim(1));
    c.denseBatches("out", out);
    if (ids.length != out.shape().dim(0) * out.shape().dim(1)) {
      throw c.bad("ids", "expected one for each row of " + out + ", found " + ids.length);
    }
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= table.shape().dim(0)) {
        throw c.bad(
            "ids[" + i + "]", "expected 0 to " + (table.shape().dim(0) - 1) + ", found " + ids[i]);
      }
    }
  }

  /** {@link Backend#copy}: shapes equal, any strides and types. */
  public static void copy(Tensor source, Tensor target) {
    CallChecks c = new CallChecks("copy", null, source.dtype());
    c.open("source", source);
    c.shape("target", target, target.dtype(), source.shape());
    c.disjoint("source", source, target);
  }

  /** {@link Backend#write} and {@link Backend#read}: the array must hold all elements. */
  public static void array(String operator, float[] array, int offset, Tensor tensor) {
    CallChecks c = new CallChecks(operator, null, tensor.dtype());
    c.open("tensor", tensor);
    if (offset < 0 || array.length - offset < tensor.shape().elements()) {
      throw c.bad(
          "array",
          "expected "
              + tensor.shape().elements()
              + " floats for "
              + tensor
              + ", found "
              + (array.length - offset)
              + " from offset "
              + offset);
    }
  }
}
