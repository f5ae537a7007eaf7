package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@link Backend#attention}. */
public interface AttentionCases extends OperatorCases {

  private void attend(
      Pair q, Pair k, Pair v, int heads, float scale, boolean causal, Pair out, Object what) {
    rig().tested.attention(q.tested(), k.tested(), v.tested(), heads, scale, causal, out.tested());
    rig()
        .reference
        .attention(q.expected(), k.expected(), v.expected(), heads, scale, causal, out.expected());
    rig().check(out, what);
  }

  @ParameterizedTest
  @CsvSource({
    // batch, queries, keys, heads, width
    "1, 1, 1, 1, 1",
    "2, 5, 77, 8, 40",
    "1, 9, 9, 5, 64",
    "2, 7, 33, 4, 80",
    "3, 13, 4, 3, 5",
    "1, 4, 3000, 2, 8",
    "1, 300, 300, 1, 64",
    "1, 2, 6, 20, 16"
  })
  default void attentionOfAnySize(int b, int queries, int keys, int heads, int width) {
    long c = (long) heads * width;
    Pair q = rig().input(DENSE, b, queries, c);
    Pair k = rig().input(DENSE, b, keys, c);
    Pair v = rig().input(DENSE, b, keys, c);
    float scale = (float) (1 / Math.sqrt(width));
    attend(q, k, v, heads, scale, false, rig().output(DENSE, b, queries, c), "all keys");
    attend(q, k, v, heads, scale, true, rig().output(DENSE, b, queries, c), "causal");
  }

  @Test
  default void attentionInAnyLayout() {
    for (Layout from : Layout.values()) {
      Pair q = rig().input(from, 2, 5, 12);
      Pair k = rig().input(from, 2, 9, 12);
      Pair v = rig().input(from, 2, 9, 12);
      for (Layout to : Layout.values()) {
        Pair out = rig().output(to, 2, 5, 12);
        attend(q, k, v, 3, 0.5f, false, out, from + " to " + to);
      }
    }
  }

  @Test
  default void valuesMayHaveAnotherWidth() {
    Pair q = rig().input(DENSE, 2, 6, 3 * 8);
    Pair k = rig().input(DENSE, 2, 7, 3 * 8);
    for (int width : new int[] {1, 5, 16}) {
      Pair v = rig().input(DENSE, 2, 7, 3L * width);
      attend(q, k, v, 3, 0.35f, false, rig().output(DENSE, 2, 6, 3L * width), width);
    }
  }

  /** Columns of one wide tensor, as a stacked q, k, v projection leaves them. */
  @Test
  default void columnsOfOneProjection() {
    Pair all = rig().input(DENSE, 2, 11, 3 * 20);
    Pair out = rig().output(DENSE, 2, 11, 20);
    Tensor t = all.tested();
    rig()
        .tested
        .attention(
            t.slice(-1, 0, 20),
            t.slice(-1, 20, 40),
            t.slice(-1, 40, 60),
            4,
            0.4f,
            false,
            out.tested());
    Tensor e = all.expected();
    rig()
        .reference
        .attention(
            e.slice(-1, 0, 20),
            e.slice(-1, 20, 40),
            e.slice(-1, 40, 60),
            4,
            0.4f,
            false,
            out.expected());
    rig().check(out, "columns");
  }

  /** One key far above the others, scores in the hundreds: no overflow, no NaN. */
  @Test
  default void largeScores() {
    float[] keys = rig().randoms(33 * 8, 1, 0);
    for (int d = 0; d < 8; d++) {
      keys[20 * 8 + d] = 16;
    }
    float[] queries = new float[3 * 8];
    Arrays.fill(queries, 4);
    Pair q = rig().input(DENSE, Shape.of(1, 3, 8), queries);
    Pair k = rig().input(DENSE, Shape.of(1, 33, 8), keys);
    Pair v = rig().input(DENSE, 1, 33, 8);
    attend(q, k, v, 1, 1, false, rig().output(DENSE, 1, 3, 8), "one key wins");
    Arrays.fill(queries, -4);
    Pair negative = rig().input(DENSE, Shape.of(1, 3, 8), queries);
    attend(negative, k, v, 1, 1, false, rig().output(DENSE, 1, 3, 8), "one key loses");
  }

  /** Equal keys: every query gets the mean of the values that it sees. */
  @Test
  default void equalScoresGiveTheMean() {
    float[] ones = new float[4 * 2];
    Arrays.fill(ones, 1);
    Pair q = rig().input(DENSE, Shape.of(1, 4, 2), ones);
    Pair v = rig().input(DENSE, Shape.of(1, 4, 2), new float[] {1, 10, 2, 20, 3, 30, 4, 40});
    try (Tensor out = rig().tested.allocate(1, 4, 2)) {
      rig().tested.attention(q.tested(), q.tested(), v.tested(), 1, 1, false, out);
      rig().close(new float[] {2.5f, 25, 2.5f, 25, 2.5f, 25, 2.5f, 25}, out, "all");
      rig().tested.attention(q.tested(), q.tested(), v.tested(), 1, 1, true, out);
      rig().close(new float[] {1, 10, 1.5f, 15, 2, 20, 2.5f, 25}, out, "causal");
    }
  }
}
