package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.reference.ReferenceBackend;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention to many keys, which is computed in blocks of them, against the reference backend. */
class StreamedAttentionTest {
  private final Fixture fixture = new Fixture();

  @ParameterizedTest
  @CsvSource({
    // queries, keys, channels, heads, deviation of the scores: the last two leave floats' range
    "1536, 1600, 24, 3, 2",
    "1537, 2049, 40, 1, 2",
    "1663, 1536, 34, 2, 8",
    "1536, 1600, 16, 2, 60",
    "1536, 1536, 16, 2, 400"
  })
  void equalsTheReference(int queries, int keys, int c, int heads, float deviation) {
    float[] q = fixture.floats(queries * c, 1);
    float[] k = fixture.floats(keys * c, 1);
    float[] v = fixture.floats(keys * c, 1);
    float scale = deviation / (float) Math.sqrt((double) c / heads);
    for (DType type : new DType[] {DType.F32, ComputeTypes.of(DType.BF16)}) {
      try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(type, 2, 0));
          ReferenceBackend r = new ReferenceBackend(BackendOptions.defaults())) {
        Tensor tq = Fixture.dense(b, q, 1, queries, c);
        Tensor tk = Fixture.columns(b, k, 1, keys, c);
        Tensor tv = Fixture.columns(b, v, 1, keys, c);
        Tensor out = Fixture.columns(b, new float[queries * c], 1, queries, c);
        assertTrue(StreamedAttention.serves(tq, tk, false));
        b.attention(tq, tk, tv, heads, scale, false, out);
        Tensor expected = r.allocate(1, queries, c);
        r.attention(
            Fixture.dense(r, b.toFloats(tq), 1, queries, c),
            Fixture.dense(r, b.toFloats(tk), 1, keys, c),
            Fixture.dense(r, b.toFloats(tv), 1, keys, c),
            heads,
            scale,
            false,
            expected);
        double limit = type == DType.F32 ? 2e-6 * Math.max(5, deviation) : 3e-2;
        Fixture.assertClose(
            type + " deviation " + deviation, r.toFloats(expected), b.toFloats(out), limit, limit);
      }
    }
  }
}
