package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("cuda-standin")
class AttentionKernelsTest {
  private final Reference reference = new Reference();
  private final Launches launches = new Launches();

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void anySize(DType dtype) {
    // batch, queries, keys, heads, width, width of values
    int[][] sizes = {
      {1, 1, 1, 1, 1, 1},
      {2, 5, 77, 3, 40, 40},
      {1, 65, 129, 2, 5, 7},
      {1, 130, 64, 1, 33, 64},
      {2, 7, 33, 1, 80, 100},
      {1, 70, 70, 1, 160, 160},
      {1, 3, 200, 1, 64, 520}
    };
    for (int[] s : sizes) {
      for (boolean causal : new boolean[] {false, true}) {
        attend(dtype, s, causal);
      }
    }
    launches.run();
  }

  private void attend(DType dtype, int[] s, boolean causal) {
    int heads = s[3];
    Spread queries = new Spread(s[0], s[1], heads * s[4], 3, 5, 0);
    Spread keys = new Spread(s[0], s[2], heads * s[4], 0, 7, 1);
    Spread values = new Spread(s[0], s[2], heads * s[5], 2, 0, 0);
    Spread to = new Spread(s[0], s[1], heads * s[5], 4, 1, 0);
    float[] q = reference.randoms(dtype, queries.elements(), 2, 0);
    float[] k = reference.randoms(dtype, keys.elements(), 2, 0);
    float[] v = reference.randoms(dtype, values.elements());
    float scale = (float) (1 / Math.sqrt(s[4]));
    float[] expected = new float[to.elements()];
    try (Tensor qs = reference.tensor(q, s[0], s[1], queries.channels());
        Tensor ks = reference.tensor(k, s[0], s[2], keys.channels());
        Tensor vs = reference.tensor(v, s[0], s[2], values.channels());
        Tensor out = reference.backend.allocate(s[0], s[1], to.channels())) {
      reference.backend.attention(qs, ks, vs, heads, scale, causal, out);
      reference.backend.read(out, expected, 0);
    }
    Memory out = to.output(dtype);
    launches.launch(
        LaunchSizes.attentionKernel(s[5]),
        dtype,
        2,
        queries.memory(dtype, q),
        keys.memory(dtype, k),
        values.memory(dtype, v),
        out,
        s[0],
        s[1],
        s[2],
        heads,
        s[4],
        s[5],
        scale,
        causal ? 1 : 0,
        queries.batchStride(),
        queries.rowStride(),
        keys.batchStride(),
        keys.rowStride(),
        values.batchStride(),
        values.rowStride(),
        to.batchStride(),
        to.rowStride());
    String what = queries + " " + keys + " " + values + (causal ? " causal" : "");
    launches.then(() -> Reference.close(dtype, expected, to.gather(out.floats()), what));
  }
}
