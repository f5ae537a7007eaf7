package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelFolderTest {
  private static final String BASE = "diffusion_pytorch_model";
  private static final Path MODELS =
      Path.of(System.getProperty("distrifuser.testResources"), "models");

  @TempDir Path dir;

  private static byte[] weights(float value) {
    return new SafetensorsWriter().add("w", DType.F32, Shape.of(1), new float[] {value}).toBytes();
  }

  private static byte[] index(String... pairs) {
    StringBuilder b = new StringBuilder("{\"metadata\":{\"total_size\":4},\"weight_map\":{");
    for (int i = 0; i < pairs.length; i += 2) {
      b.append(i == 0 ? "" : ",").append('"').append(pairs[i]).append("\":\"");
      b.append(pairs[i + 1].replace("\\", "\\\\")).append('"');
    }
    return b.append("}}").toString().getBytes(StandardCharsets.UTF_8);
  }

  private void put(String name, byte[] bytes) throws IOException {
    Path p = dir.resolve(name);
    Files.createDirectories(p.getParent());
    Files.write(p, bytes);
  }

  private String error(String variant) {
    return assertThrows(
            WeightsException.class,
            () -> ModelFolder.of(dir).openStateDict("unet", BASE, variant).close())
        .getMessage();
  }

  @Test
  void shardedModel() {
    ModelFolder sd2 = ModelFolder.of(MODELS.resolve("tiny-sd2"));
    try (StateDict d = sd2.openStateDict("unet", BASE, null)) {
      long bytes = 0;
      for (String n : d.names()) {
        WeightTensor t = d.get(n);
        assertTrue(t.source().matches("unet/" + BASE + "-0000[123]-of-00003.safetensors"));
        bytes += t.data().remaining();
      }
      assertEquals(3758568, bytes); // the index's total_size
      assertEquals(Set.of(), d.unused());
      assertEquals("unet/" + BASE + ".safetensors.index.json", d.source());
      assertEquals(Shape.of(32, 4, 3, 3), d.get("conv_in.weight", 32, 4, 3, 3).shape());
    }
  }

  @Test
  void variantOfAModel() {
    ModelFolder sd1 = ModelFolder.of(MODELS.resolve("tiny-sd1"));
    try (StateDict d = sd1.openStateDict("unet", BASE, "fp16")) {
      assertEquals("unet/" + BASE + ".fp16.safetensors", d.source());
      assertEquals(DType.F16, d.withPrefix("conv_in").get("bias", 32).dtype());
      assertTrue(d.unused().size() > 100);
    }
    WeightsException e =
        assertThrows(WeightsException.class, () -> sd1.openStateDict("unet", BASE, null));
    assertTrue(
        e.getMessage().contains("found " + BASE + ".fp16.safetensors: another variant?"),
        e.getMessage());
  }

  @Test
  void everyWeightOfTheReferenceModelsIsFinite() {
    for (String model : List.of("tiny-sdxl", "tiny-sd1", "tiny-sd2")) {
      ModelFolder f = ModelFolder.of(MODELS.resolve(model));
      for (String component : List.of("unet", "vae", "text_encoder", "text_encoder_2")) {
        if (!f.exists(component + "/config.json")) {
          continue;
        }
        String base = component.startsWith("text") ? "model" : BASE;
        String variant = model.equals("tiny-sd1") ? "fp16" : null;
        try (StateDict d = f.openStateDict(component, base, variant)) {
          assertFalse(d.names().isEmpty());
          d.names().stream().filter(n -> !n.endsWith("position_ids")).forEach(d::get);
          assertEquals(Set.of(), d.unused());
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "diffusion_pytorch_model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.safetensors.fp16.index.json",
        "diffusion_pytorch_model.fp16.safetensors.index.json"
      })
  void spellingsOfAVariantsIndex(String name) throws IOException {
    for (String shard :
        List.of(
            BASE + ".fp16-00001-of-00001.safetensors", BASE + "-00001-of-00001.fp16.safetensors")) {
      put("unet/" + BASE + ".safetensors", weights(1));
      put("unet/" + name, index("w", shard));
      put("unet/" + shard, weights(2));
      try (StateDict d = ModelFolder.of(dir).openStateDict("unet", BASE, "fp16")) {
        assertArrayEquals(new float[] {2}, d.get("w", 1).toFloats());
      }
    }
  }

  @Test
  void plainFilesServeForAMissingVariant() throws IOException {
    put("vae/" + BASE + ".safetensors", weights(1));
    String log =
        StateDictTest.captured(
            () -> {
              try (StateDict d = ModelFolder.of(dir).openStateDict("vae", BASE, "fp16")) {
                assertEquals("vae/" + BASE + ".safetensors", d.source());
              }
            });
    assertTrue(log.contains("no variant 'fp16', " + BASE + ".safetensors is used"), log);
  }

  @Test
  void missingWeights() throws IOException {
    assertTrue(error(null).endsWith("unet: no such folder"), error(null));
    put("unet/config.json", new byte[0]);
    assertTrue(
        error("fp16").contains("no weights; looked for " + BASE + ".fp16.safetensors, "),
        error("fp16"));
    put("unet/" + BASE + ".bin", new byte[0]);
    assertTrue(
        error(null).endsWith("found " + BASE + ".bin, but only safetensors are read"), error(null));
    assertThrows(WeightsException.class, () -> ModelFolder.of(dir.resolve("none")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{|not valid JSON",
        "{}|weight_map: expected an object",
        "[]|weight_map: expected an object",
        "{\"weight_map\":[]}|weight_map: expected an object",
        "{\"weight_map\":{}}|weight_map: is empty",
        "{\"weight_map\":{\"w\":1}}|w: expected a shard's file name, found a NUMBER",
        "{\"weight_map\":{\"w\":\"a.safetensors\",\"w\":\"a.safetensors\"}}|Duplicate",
        "{\"weight_map\":{\"w\":\"a.safetensors\"}} {}|not valid JSON",
        "{\"weight_map\":{\"w\":\"a.bin\"}}|w: only safetensors are read",
        "{\"weight_map\":{\"w\":\"../a.safetensors\"}}|expected a shard in the index's own folder",
        "{\"weight_map\":{\"w\":\"/a.safetensors\"}}|expected a shard in the index's own folder",
        "{\"weight_map\":{\"w\":\"b/a.safetensors\"}}|expected a shard in the index's own folder",
        "{\"weight_map\":{\"w\":\"..\\\\a.safetensors\"}}|expected a shard in the index's own",
        "{\"weight_map\":{\"w\":\"gone.safetensors\"}}|names the shard gone.safetensors",
        "{\"weight_map\":{\"v\":\"a.safetensors\"}}|v: the index says it is in a.safetensors, which"
      })
  void malformedIndexes(String json, String expected) throws IOException {
    put("unet/a.safetensors", weights(1));
    String index = "unet/" + BASE + ".safetensors.index.json";
    put(index, json.getBytes(StandardCharsets.UTF_8));
    String message = error(null);
    assertTrue(message.startsWith(index + ": "), message);
    assertTrue(message.contains(expected), message);
  }

  @Test
  void tensorsOfAShardThatTheIndexDoesNotName() throws IOException {
    put(
        "unet/a.safetensors",
        new SafetensorsWriter()
            .add("w", DType.F32, Shape.of(1), new float[1])
            .add("extra", DType.F32, Shape.of(1), new float[1])
            .toBytes());
    put("unet/" + BASE + ".safetensors.index.json", index("w", "a.safetensors"));
    try (StateDict d = ModelFolder.of(dir).openStateDict("unet", BASE, null)) {
      d.get("w", 1);
      assertEquals(Set.of("extra"), d.unused());
    }
  }

  @Test
  void pathsStayBelowTheFolder() throws IOException {
    put("in/a", new byte[] {1});
    put("b", new byte[] {2});
    ModelFolder f = ModelFolder.of(dir.resolve("in"));
    assertArrayEquals(new byte[] {1}, f.readBytes("a"));
    for (String p : List.of("../b", "x/../../b", "/b", "", "x//b", "..\\b")) {
      assertThrows(WeightsException.class, () -> f.readBytes(p), p);
      assertThrows(WeightsException.class, () -> f.exists(p), p);
    }
    assertFalse(f.exists("none"));
    assertTrue(
        assertThrows(WeightsException.class, () -> f.readBytes("none"))
            .getMessage()
            .endsWith("none: no such file"));
  }

  /** The anchor of a model in a jar must come from the same loader as the model. */
  @Test
  void modelInAJar() throws Exception {
    Path jar = dir.resolve("model.jar");
    String self = Anchor.class.getName().replace('.', '/') + ".class";
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new JarEntry(self));
      try (var in = Anchor.class.getResourceAsStream("/" + self)) {
        in.transferTo(out);
      }
      out.putNextEntry(new JarEntry("a/model/unet/" + BASE + ".safetensors"));
      out.write(weights(7));
      out.putNextEntry(new JarEntry("a/model/model_index.json"));
      out.write('{');
    }
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null)) {
      Class<?> anchor = loader.loadClass(Anchor.class.getName());
      ModelFolder f = ModelFolder.ofResources(anchor, "a/model");
      assertEquals("classpath:a/model", f.name());
      assertTrue(f.exists("model_index.json"));
      assertFalse(f.exists("none"));
      assertArrayEquals(new byte[] {'{'}, f.readBytes("model_index.json"));
      try (StateDict d = f.openStateDict("unet", BASE, null)) {
        WeightTensor t = d.get("w", 1);
        assertTrue(t.data().isDirect());
        assertArrayEquals(new float[] {7}, t.toFloats());
      }
      String message =
          assertThrows(WeightsException.class, () -> f.openStateDict("vae", BASE, null))
              .getMessage();
      assertTrue(message.startsWith("classpath:a/model/vae: no weights; looked for "), message);
    }
  }

  /** Something to load from the jar. */
  static final class Anchor {}
}
