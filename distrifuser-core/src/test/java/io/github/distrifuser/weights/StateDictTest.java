package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class StateDictTest {
  private static StateDict dict() {
    return StateDict.of(
        SafetensorsFile.of(
            "unet/x.safetensors",
            new SafetensorsWriter()
                .add("conv_in.weight", DType.F32, Shape.of(2, 3, 1, 1), new float[6])
                .add("conv_in.bias", DType.F16, Shape.of(2), new float[] {1, 2})
                .add("mid.proj.weight", DType.BF16, Shape.of(2, 2), new float[] {1, 2, 3, 4})
                .add("mid.position_ids", DType.I64, Shape.of(1), ByteBuffer.allocate(8))
                .toBytes()));
  }

  private static String error(Runnable r) {
    return assertThrows(WeightsException.class, r::run).getMessage();
  }

  @Test
  void checksShapesAndNames() {
    StateDict d = dict();
    assertArrayEquals(new float[] {1, 2}, d.get("conv_in.bias", 2).toFloats());
    assertEquals(
        "unet/x.safetensors: conv_in.bias: expected [3], found [2]",
        error(() -> d.get("conv_in.bias", 3)));
    assertEquals(
        "unet/x.safetensors: conv_in.weight: expected [2, 3, 3, 3], found [2, 3, 1, 1]",
        error(() -> d.get("conv_in.weight", 2, 3, 3, 3)));
    assertEquals(
        "unet/x.safetensors: conv_out.bias: missing (4 tensors are there)",
        error(() -> d.get("conv_out.bias", 3)));
    assertEquals(
        "unet/x.safetensors: mid.position_ids: expected F32, F16 or BF16, found I64",
        error(() -> d.get("mid.position_ids", 1)));
    assertNull(d.optional("conv_out.bias", 3));
    assertNull(d.optional("conv_out.bias"));
    assertEquals(Shape.of(2), d.optional("conv_in.bias").shape());
    assertEquals(Shape.of(2), d.optional("conv_in.bias", 2).shape());
  }

  @Test
  void tellsTheBytesOfEachTensorOnce() {
    StateDict d = dict();
    assertEquals(24 + 4 + 8 + 8, d.bytes());
    assertEquals(28, d.withPrefix("conv_in").bytes());
    List<Long> told = new ArrayList<>();
    d.onUse(told::add);
    StateDict renamed = d.renamed(Map.of("conv_in.bias", "first.bias"));
    renamed.get("first.bias");
    d.get("conv_in.bias", 2);
    d.get("conv_in.weight");
    d.ignore("mid.position_ids");
    assertEquals(List.of(4L, 24L, 8L), told);
    StateDict random = StateDict.random("random", 1);
    random.onUse(told::add);
    random.get("any.weight", 3, 4);
    assertEquals(0, random.bytes());
    assertEquals(4, told.size());
    assertTrue(told.get(3) > 0, told::toString);
  }

  @Test
  void matricesAndPointwiseConvolutionsAreInterchangeable() {
    StateDict d = dict();
    assertEquals(Shape.of(2, 3), d.get("conv_in.weight", 2, 3).shape());
    WeightTensor conv = d.get("mid.proj.weight", 2, 2, 1, 1);
    assertEquals(Shape.of(2, 2, 1, 1), conv.shape());
    assertArrayEquals(new float[] {1, 2, 3, 4}, conv.toFloats());
    error(() -> d.get("mid.proj.weight", 4, 1, 1, 1));
    error(() -> d.get("mid.proj.weight", 2, 2, 1));
  }

  @Test
  void remembersWhatWasUsed() {
    StateDict d = dict();
    StateDict mid = d.withPrefix("mid");
    assertEquals("mid.", mid.prefix());
    assertEquals("mid.proj", mid.withPrefix("proj.").path());
    assertEquals(Set.of("proj.weight", "position_ids"), mid.names());
    assertTrue(mid.has("proj.weight"));
    assertFalse(mid.has("mid.proj.weight"));
    assertEquals(Set.of("conv_in.weight", "conv_in.bias", "mid.proj.weight"), d.unused());
    assertEquals("mid.proj.weight", mid.get("proj.weight", 2, 2).name());
    assertEquals(Set.of(), mid.unused());
    d.ignore("conv_in.bias");
    assertEquals(Set.of("conv_in.weight"), d.unused());
  }

  @Test
  void warnsOnceOfLeftOvers() {
    StateDict d = dict();
    d.get("conv_in.weight");
    d.get("conv_in.bias");
    String log = captured(d::warnUnused);
    assertTrue(log.contains("unet/x.safetensors: 1 tensors were not used: mid.proj.weight"), log);
    assertEquals(1, log.lines().count(), log);
    d.get("mid.proj.weight");
    assertEquals("", captured(d::warnUnused));
  }

  static String captured(Runnable r) {
    PrintStream before = System.err;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      r.run();
    } finally {
      System.setErr(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void renames() {
    StateDict d = dict();
    StateDict r =
        d.renamed(Map.of("mid.proj.weight", "mid.to_q.weight"))
            .renamed(Renames.withoutPrefix("conv_in."));
    assertEquals("mid.to_q.weight", r.withPrefix("mid").get("to_q.weight", 2, 2).name());
    assertEquals("bias", r.get("bias", 2).name());
    assertEquals(Set.of("conv_in.weight"), d.unused());
    assertEquals(Set.of("conv_in.weight"), r.unused());
    String message = error(() -> d.renamed(n -> "same"));
    assertTrue(
        message.contains("conv_in.weight: has the same meaning (same) as mid.position_ids"),
        message);
  }

  @Test
  void oldVaeAttention() {
    var rule = Renames.oldVaeAttention();
    String at = "decoder.mid_block.attentions.0.";
    assertEquals(at + "to_q.weight", rule.apply(at + "query.weight"));
    assertEquals(at + "to_k.bias", rule.apply(at + "key.bias"));
    assertEquals(at + "to_v.weight", rule.apply(at + "value.weight"));
    assertEquals(at + "to_out.0.bias", rule.apply(at + "proj_attn.bias"));
    assertEquals(at + "group_norm.bias", rule.apply(at + "group_norm.bias"));
    assertEquals("query.weight", rule.apply("query.weight"));
  }

  @Test
  void refusesWhatIsNotFinite() {
    StateDict d =
        StateDict.of(
            SafetensorsFile.of(
                "x",
                new SafetensorsWriter()
                    .add("w", DType.F16, Shape.of(3), new float[] {1, Float.NaN, 2})
                    .toBytes()));
    assertEquals(
        "x: w: element 1 of 3 is NaN, expected finite numbers", error(() -> d.get("w", 3)));
    assertEquals(3, d.checkFinite(false).get("w", 3).toFloats().length);
  }

  @Test
  void firstNonFiniteFindsEveryPlaceAndKind() {
    float[] odd = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    for (DType dtype : new DType[] {DType.F16, DType.BF16, DType.F32}) {
      for (int n : new int[] {0, 1, 3, 31, 64, 101}) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
          v[i] = i % 3 == 0 ? -0f : i % 3 == 1 ? 65504f : -6e-8f;
        }
        assertEquals(-1, tensor(dtype, v).firstNonFinite());
        for (int i = 0; i < n; i++) {
          float[] bad = v.clone();
          bad[i] = odd[i % 3];
          bad[n - 1] = Float.NaN;
          assertEquals(i, tensor(dtype, bad).firstNonFinite(), dtype + " " + n);
        }
      }
    }
    ByteBuffer doubles = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    doubles.putDouble(0, Double.MAX_VALUE).putDouble(16, Double.NaN);
    assertEquals(2, new WeightTensor("w", "x", DType.F64, Shape.of(3), doubles).firstNonFinite());
    ByteBuffer ones = ByteBuffer.wrap(new byte[] {-1, -1, -1, -1});
    assertEquals(-1, new WeightTensor("w", "x", DType.I32, Shape.of(1), ones).firstNonFinite());
  }

  private static WeightTensor tensor(DType dtype, float[] v) {
    byte[] file = new SafetensorsWriter().add("w", dtype, Shape.of(v.length), v).toBytes();
    return SafetensorsFile.of("x", file).get("w");
  }

  @Test
  void everyHalfIsJudgedAsItsFloatIs() {
    for (DType dtype : new DType[] {DType.F16, DType.BF16}) {
      ByteBuffer one = ByteBuffer.allocate(2).order(ByteOrder.LITTLE_ENDIAN);
      for (int bits = 0; bits < 1 << 16; bits++) {
        one.putShort(0, (short) bits);
        WeightTensor t = new WeightTensor("w", "x", dtype, Shape.of(1), one);
        assertEquals(Float.isFinite(t.at(0)) ? -1 : 0, t.firstNonFinite(), dtype + " " + bits);
      }
    }
  }

  @Test
  void mapsOfTensors() {
    WeightTensor t = tensor(DType.F32, new float[] {5});
    StateDict d = StateDict.of("memory", Map.of("a.b", t));
    assertEquals("a.b", d.withPrefix("a").get("b", 1).name());
    assertFalse(d.isGenerated());
    d.close();
  }

  @Test
  void randomWeights() {
    StateDict d = StateDict.random("random", 3);
    assertTrue(d.isGenerated());
    assertFalse(d.has("w"));
    assertNull(d.optional("w", 1));
    WeightTensor w = d.withPrefix("conv").get("weight", 320, 40, 3, 3);
    assertEquals("conv.weight", w.name());
    assertEquals(DType.F16, w.dtype());
    float[] v = w.toFloats();
    double mean = 0;
    double square = 0;
    double fourth = 0;
    double neighbours = 0;
    for (int i = 0; i < v.length; i++) {
      mean += v[i];
      square += v[i] * v[i];
      fourth += (double) v[i] * v[i] * v[i] * v[i];
      neighbours += v[i] * (i == 0 ? 0 : v[i - 1]);
    }
    double variance = 1 / 360.0;
    double n = v.length; // 115200: standard errors are 0.003, 0.004, 0.03 (kurtosis), 0.003
    assertEquals(0, mean / n / Math.sqrt(variance), 0.015);
    assertEquals(1, square / n / variance, 0.02);
    assertEquals(3, fourth / n / (variance * variance), 0.4);
    assertEquals(0, neighbours / n / variance, 0.015);
    assertEquals(-1, w.firstNonFinite());

    assertArrayEquals(v, StateDict.random("other", 3).get("conv.weight", 320, 40, 3, 3).toFloats());
    assertNotEquals(
        v[0] + v[1] + v[2], sum3(StateDict.random("x", 4).get("conv.weight", 320, 40, 3, 3)));
    assertNotEquals(v[0] + v[1] + v[2], sum3(d.get("conv2.weight", 320, 40, 3, 3)));
    assertArrayEquals(new float[] {1, 1, 1, 1, 1}, d.get("norm.weight", 5).toFloats());
    assertArrayEquals(new float[] {0, 0, 0}, d.get("norm.bias", 3).toFloats());
    assertArrayEquals(new float[] {0}, d.get("logit_scale", new long[0]).toFloats());
    assertEquals(21, d.get("odd.weight", 7, 3).toFloats().length);
    assertEquals(
        "random: w: generated weights are made for a shape, and none was given",
        error(() -> d.get("w")));
    assertTrue(error(() -> d.get("w", 1 << 15, 1 << 15)).contains("fewer than 2^30"));
    assertEquals(Set.of(), d.unused());
  }

  private static float sum3(WeightTensor t) {
    return t.at(0) + t.at(1) + t.at(2);
  }
}
