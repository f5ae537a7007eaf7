package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigTest {
  private static final ModelFolder SDXL =
      ModelFolder.of(Path.of(System.getProperty("distrifuser.testResources"), "models/tiny-sdxl"));

  private static ModelConfig config(String json) {
    return ModelConfig.parse("unet/config.json", json.getBytes(StandardCharsets.UTF_8));
  }

  private static String error(Runnable r) {
    return assertThrows(WeightsException.class, r::run).getMessage();
  }

  @Test
  void realConfigurations() {
    ModelConfig unet = SDXL.readConfig("unet/config.json");
    assertEquals("unet/config.json", unet.source());
    assertEquals(List.of(32, 48, 64), unet.getInts("block_out_channels"));
    assertEquals(List.of(2, 2, 2), unet.getInts("layers_per_block", 3));
    assertEquals(List.of(1, 1, 2), unet.getInts("transformer_layers_per_block", 3));
    assertEquals(List.of(false, false, false), unet.getBooleans("only_cross_attention", 3, true));
    assertEquals(1e-5, unet.getDouble("norm_eps"));
    assertEquals(1e-5f, unet.getFloat("norm_eps"));
    assertTrue(unet.getBoolean("use_linear_projection", false));
    assertNull(unet.optionalInts("num_attention_heads", 3));
    assertEquals("DownBlock2D", unet.getStrings("down_block_types").get(0));
    unet.supportOnly("class_embed_type");
    unet.supportOnly("act_fn", "silu");
    unet.supportOnly("mid_block_scale_factor", 1);
    assertTrue(unet.unused().contains("dual_cross_attention"));
    assertFalse(unet.unused().contains("act_fn"));
    assertFalse(unet.unused().contains("_class_name"));

    ModelConfig index = SDXL.readConfig("model_index.json");
    assertEquals("EulerDiscreteScheduler", index.componentClass("scheduler"));
    assertNull(index.componentClass("image_encoder"));
    assertNull(index.componentClass("safety_checker"));
    assertEquals("StableDiffusionXLPipeline", index.getString("_class_name"));
    assertTrue(error(() -> SDXL.readConfig("none/config.json")).endsWith("no such file"));
  }

  @Test
  void absentAndNull() {
    ModelConfig c = config("{\"n\": null, \"i\": 3}");
    assertEquals(Set.of("n", "i"), c.keys());
    assertFalse(c.has("n"));
    assertFalse(c.has("x"));
    assertTrue(c.has("i"));
    assertEquals(Set.of("n", "i"), c.unused());
    for (String key : List.of("n", "x")) {
      assertEquals(7, c.getInt(key, 7));
      assertEquals(0.5, c.getDouble(key, 0.5));
      assertEquals(0.1f, c.getFloat(key, 0.1f));
      assertTrue(c.getBoolean(key, true));
      assertEquals("s", c.getString(key, "s"));
      assertEquals("s", c.getChoice(key, "s", List.of("s", "t")));
      assertEquals(List.of(7, 7), c.getInts(key, 2, 7));
      assertEquals(List.of(true, true), c.getBooleans(key, 2, true));
      assertNull(c.optionalInt(key));
      assertNull(c.optionalDouble(key));
      assertNull(c.optionalBoolean(key));
      assertNull(c.optionalString(key));
      assertNull(c.optionalInts(key));
      assertNull(c.optionalDoubles(key));
      assertNull(c.optionalStrings(key));
      assertNull(c.optionalSection(key));
      c.supportOnly(key);
    }
    assertEquals(Set.of("i"), c.unused());
    assertEquals(
        "unet/config.json: n: expected an integer, found null", error(() -> c.getInt("n")));
    assertEquals(
        "unet/config.json: x: expected a string, found no such key", error(() -> c.getString("x")));
  }

  @Test
  void wrongTypes() {
    ModelConfig c =
        config(
            "{\"s\": \"x\", \"f\": 1.5, \"big\": 3000000000, \"l\": [1, \"a\"], \"b\": true,"
                + "\"nan\": NaN, \"two\": [1, 2], \"ln\": [1, null], \"pair\": [1, 2]}");
    String at = "unet/config.json: ";
    assertEquals(at + "s: expected a list of integers, found \"x\"", error(() -> c.getInts("s")));
    assertEquals(
        at + "l: expected a list of integers, found [1,\"a\"]", error(() -> c.getInts("l")));
    assertEquals(
        at + "ln: expected a list of integers, found [1,null]", error(() -> c.getInts("ln")));
    assertEquals(at + "f: expected an integer, found 1.5", error(() -> c.getInt("f")));
    assertEquals(at + "big: expected an integer, found 3000000000", error(() -> c.getInt("big")));
    assertEquals(at + "s: expected a number, found \"x\"", error(() -> c.getDouble("s", 1)));
    assertTrue(error(() -> c.getDouble("nan")).startsWith(at + "nan: expected a number, found"));
    assertEquals(at + "s: expected true or false, found \"x\"", error(() -> c.getBoolean("s")));
    assertEquals(at + "b: expected a string, found true", error(() -> c.optionalString("b")));
    assertEquals(
        at + "two: expected an integer or a list of 3, found [1,2]",
        error(() -> c.getInts("two", 3)));
    assertEquals(
        at + "b: expected an integer or a list of 3, found true", error(() -> c.getInts("b", 3)));
    assertEquals(
        at + "two: expected true, false or a list of 2, found [1,2]",
        error(() -> c.getBooleans("two", 2, false)));
    assertEquals(
        at + "s: expected one of a, b, found \"x\"",
        error(() -> c.getChoice("s", "a", List.of("a", "b"))));
    assertEquals(
        at + "s: expected null or \"silu\" or 3, as nothing else is supported, found \"x\"",
        error(() -> c.supportOnly("s", "silu", 3)));
    assertEquals(at + "s: expected an object, found \"x\"", error(() -> c.optionalSection("s")));
    assertEquals(
        at + "pair: expected [library, class], found [1,2]", error(() -> c.componentClass("pair")));
    assertEquals(
        at + "l: expected a list of strings, found [1,\"a\"]", error(() -> c.getStrings("l")));
  }

  @Test
  void valuesOfEveryKind() {
    ModelConfig c =
        config("{\"low\": -Infinity, \"i\": 2, \"d\": [1, 2.5], \"o\": {\"k\": 1}, \"e\": []}");
    assertEquals(Double.NEGATIVE_INFINITY, c.getDouble("low"));
    assertEquals(2.0, c.getDouble("i"));
    assertEquals(List.of(1.0, 2.5), c.optionalDoubles("d"));
    assertEquals(List.of(), c.getInts("e"));
    ModelConfig o = c.optionalSection("o");
    assertEquals(1, o.getInt("k"));
    assertEquals(
        "unet/config.json: o: z: expected an integer, found no such key",
        error(() -> o.getInt("z")));
  }

  @Test
  void settingsFromCode() {
    Map<String, Object> values = new HashMap<>();
    values.put("a", 1);
    values.put("b", List.of(1, 2));
    values.put("c", 0.5f);
    ModelConfig c = ModelConfig.of("code", values);
    assertEquals(1, c.getInt("a"));
    assertEquals(List.of(1, 2), c.getInts("b"));
    assertEquals(0.5, c.getDouble("c"));
    values.put("a", null);
    values.put("d", "x");
    ModelConfig changed = c.with(values);
    assertFalse(changed.has("a"));
    assertEquals("x", changed.getString("d"));
    assertEquals(1, c.getInt("a"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{|not valid JSON",
        "``|expected a JSON object",
        "[1]|expected a JSON object, found [1]",
        "{\"a\":1}}|not valid JSON",
        "{'a':1}|not valid JSON",
        "{\"a\":tru}|(line 1)"
      })
  void malformedJson(String json, String expected) {
    String message = error(() -> config(json));
    assertTrue(message.startsWith("unet/config.json: "), message);
    assertTrue(message.contains(expected), message);
    assertEquals(1, message.lines().count());
  }
}
