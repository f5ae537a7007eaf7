package io.github.distrifuser.backend;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.tensor.TensorAssertions;
import io.github.distrifuser.weights.SafetensorsFile;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What torch computes, from cases/operators made by make/operators.py. */
public interface TorchCases extends OperatorCases {

  private static WeightTensor stored(String name) {
    Path file =
        Path.of(
            System.getProperty("distrifuser.testResources"),
            "cases/operators/operators.safetensors");
    try (SafetensorsFile f = SafetensorsFile.open(file)) {
      return f.get(name);
    }
  }

  private static int[] ints(String name) {
    WeightTensor t = stored(name);
    int[] out = new int[(int) t.shape().elements()];
    t.data().asIntBuffer().get(out);
    return out;
  }

  private Tensor tensor(String name) {
    WeightTensor w = stored(name);
    Tensor t = rig().own(rig().tested.allocate(rig().tested.dtype(), w.shape()));
    rig().tested.write(w.toFloats(), 0, t);
    return t;
  }

  /** A tensor of the shape of what is expected. */
  private Tensor like(String name) {
    return rig().own(rig().tested.allocate(rig().tested.dtype(), stored(name).shape()));
  }

  private void close(String name, Tensor actual) {
    rig().close(stored(name).toFloats(), actual, name);
  }

  /** Inputs are rounded to the type here, and the results follow. */
  private void close(String name, Tensor actual, double slack) {
    Tolerance t = rig().tolerance().times(slack);
    TensorAssertions.assertAllClose(
        stored(name).toFloats(), rig().tested.toFloats(actual), t.atol(), t.rtol(), name);
  }

  private PreparedWeight linearWeight(String name, long... splits) {
    return rig()
        .own(
            rig()
                .tested
                .prepareLinear(
                    name,
                    List.of(stored(name + ".weight")),
                    List.of(stored(name + ".bias")),
                    splits));
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  default void torchLinear(Activation a) {
    String expected = "linear.out." + a.name().toLowerCase(Locale.ROOT);
    Tensor out = like(expected);
    rig()
        .tested
        .linear(tensor("linear.x"), linearWeight("linear"), a, tensor("linear.residual"), out);
    close(expected, out, 2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"f16", "bf16"})
  default void torchLinearWithHalfWeights(String type) {
    Tensor out = like("linear." + type + ".out");
    PreparedWeight w = linearWeight("linear." + type);
    rig().tested.linear(tensor("linear.x"), w, Activation.NONE, null, out);
    close("linear." + type + ".out", out, 2);
  }

  @Test
  default void torchGeglu() {
    Tensor out = like("geglu.out");
    rig().tested.geglu(tensor("geglu.x"), linearWeight("geglu", 5), out);
    close("geglu.out", out, 4);
  }

  @ParameterizedTest
  @CsvSource({
    "same, true",
    "pointwise, true",
    "down, false",
    "down_vae, false",
    "halo_above, false",
    "halo_both, true",
    "pixel, false",
    "patches, false"
  })
  default void torchConvolution(String which, boolean extras) {
    String name = "conv." + which;
    int[] g = ints(name + ".geometry");
    PreparedWeight w =
        rig()
            .own(
                rig().tested.prepareConv2d(name, stored(name + ".weight"), stored(name + ".bias")));
    Tensor out = like(name + ".out");
    rig()
        .tested
        .conv2d(
            tensor(name + ".x"),
            w,
            new Conv2dGeometry(g[0], g[1], g[2], g[3], g[4]),
            extras ? tensor(name + ".channel_bias") : null,
            extras ? tensor(name + ".residual") : null,
            out);
    close(name + ".out", out, 3);
  }

  private PreparedWeight normWeight(String name) {
    return rig()
        .own(rig().tested.prepareNorm(name, stored(name + ".weight"), stored(name + ".bias")));
  }

  private void assumeTypeHolds(String which) {
    assumeTrue(
        which.equals("near") || rig().tested.dtype() == DType.F32,
        "1000 +- 0.5 is a handful of numbers in 16 bits");
  }

  @ParameterizedTest
  @ValueSource(strings = {"near", "far"})
  default void torchGroupNorm(String which) {
    assumeTypeHolds(which);
    double slack = which.equals("far") ? 20 : 2;
    String name = "group_norm." + which;
    Tensor x = tensor(name + ".x");
    PreparedWeight w = normWeight("group_norm");
    Tensor moments = rig().own(rig().tested.allocate(DType.F32, Shape.of(2, 3, 2)));
    rig().tested.groupMoments(x, 3, moments);
    close(name + ".moments", moments, slack);
    Tensor out = like(name + ".out");
    rig().tested.groupNorm(x, w, 3, 1e-5f, Activation.NONE, out);
    close(name + ".out", out, slack);
    rig().tested.groupNorm(x, w, 3, 1e-5f, Activation.SILU, out);
    close(name + ".silu", out, slack);
  }

  @Test
  default void torchGroupNormWithMoments() {
    float[] mean = stored("group_norm.with.mean").toFloats();
    float[] variance = stored("group_norm.with.variance").toFloats();
    float[] both = new float[12];
    for (int i = 0; i < 6; i++) {
      both[2 * i] = mean[i];
      both[2 * i + 1] = variance[i];
    }
    Tensor moments = rig().floats(Shape.of(2, 3, 2), both).tested();
    Tensor out = like("group_norm.with.out");
    Tensor x = tensor("group_norm.near.x");
    PreparedWeight w = normWeight("group_norm");
    rig().tested.groupNormWith(x, moments, w, 3, 1e-6f, Activation.NONE, out);
    close("group_norm.with.out", out, 3);
  }

  @ParameterizedTest
  @ValueSource(strings = {"near", "far"})
  default void torchLayerNorm(String which) {
    assumeTypeHolds(which);
    String name = "layer_norm." + which;
    Tensor out = like(name + ".out");
    rig().tested.layerNorm(tensor(name + ".x"), normWeight("layer_norm"), 1e-5f, out);
    close(name + ".out", out, which.equals("far") ? 20 : 2);
  }

  @ParameterizedTest
  @CsvSource({"self, 3, 0.5, false", "causal, 2, 0.4472136, true", "sharp, 2, 6, false"})
  default void torchAttention(String which, int heads, float scale, boolean causal) {
    String name = "attention." + which;
    Tensor out = like(name + ".out");
    rig()
        .tested
        .attention(
            tensor(name + ".q"),
            tensor(name + ".k"),
            tensor(name + ".v"),
            heads,
            scale,
            causal,
            out);
    close(name + ".out", out, which.equals("sharp") ? 30 : 3);
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  default void torchActivation(Activation a) {
    String expected = "activation." + a.name().toLowerCase(Locale.ROOT);
    Tensor out = like(expected);
    rig().tested.activation(tensor("activation.x"), a, out);
    close(expected, out);
  }

  @Test
  default void torchUpsampleEmbeddingAndConcat() {
    for (String size : List.of("upsample.twice", "upsample.cut")) {
      Tensor out = like(size);
      rig().tested.upsampleNearest2x(tensor("upsample.x"), out);
      close(size, out);
    }
    PreparedWeight table =
        rig().own(rig().tested.prepareEmbedding("embedding", stored("embedding.table")));
    Tensor rows = like("embedding.out");
    rig().tested.embedding(ints("embedding.ids"), table, rows);
    close("embedding.out", rows);
    Tensor joined = like("concat.out");
    rig().tested.concatChannels(List.of(tensor("concat.a"), tensor("concat.b")), joined);
    close("concat.out", joined);
  }
}
