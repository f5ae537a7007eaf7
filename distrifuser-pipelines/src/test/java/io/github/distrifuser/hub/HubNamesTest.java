package io.github.distrifuser.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names, settings, and which files are chosen; no server. */
class HubNamesTest {
  private static final Path HOME = Path.of("/home/someone");

  private static HubSettings settings(Map<String, String> env) {
    return HubSettings.of(HubOptions.defaults(), env, HOME);
  }

  @Test
  void namesAreRead() {
    assertEquals(new HubId("org/name", "main"), HubId.parse("org/name"));
    assertEquals(new HubId("org/na.me-1", "refs/pr/2"), HubId.parse("org/na.me-1@refs/pr/2"));
    assertEquals("org/name@v1", HubId.parse("org/name@v1").toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "name", "a/b/c", "../x", "./x", "/a/b", "a/..", "a/b--c", "-a/b", "a/b.", "a/b.git",
        "a b/c", ""
      })
  void whatIsNoNameIsNone(String s) {
    assertFalse(HubId.looksLikeOne(s));
    assertThrows(IllegalArgumentException.class, () -> HubId.parse(s));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"a/b@", "a/b@..", "a/b@x/../y", "a/b@/x", "a/b@x/", "a/b@x//y", "a/b@x y"})
  void revisionsDoNotLeaveTheFolder(String s) {
    assertThrows(IllegalArgumentException.class, () -> HubId.parse(s));
  }

  @Test
  void theCacheIsWherePythonHasIt() {
    Map<String, String> env = new HashMap<>();
    assertEquals(HOME.resolve(".cache/huggingface/hub"), settings(env).cache());
    env.put("XDG_CACHE_HOME", "/xdg");
    assertEquals(Path.of("/xdg/huggingface/hub"), settings(env).cache());
    env.put("HF_HOME", "~/hf");
    assertEquals(HOME.resolve("hf/hub"), settings(env).cache());
    env.put("HUGGINGFACE_HUB_CACHE", "${SCRATCH}/old");
    env.put("SCRATCH", "/scratch");
    assertEquals(Path.of("/scratch/old"), settings(env).cache());
    env.put("HF_HUB_CACHE", "/new");
    assertEquals(Path.of("/new"), settings(env).cache());
  }

  @Test
  void theTokenIsWherePythonHasIt(@TempDir Path hfHome) throws IOException {
    Map<String, String> env = new HashMap<>(Map.of("HF_HOME", hfHome.toString()));
    assertNull(settings(env).token());
    Files.writeString(hfHome.resolve("token"), "from_file\n");
    assertEquals("from_file", settings(env).token());
    env.put("HUGGING_FACE_HUB_TOKEN", "older");
    assertEquals("older", settings(env).token());
    env.put("HF_TOKEN", "newer");
    assertEquals("newer", settings(env).token());
    HubOptions given = new HubOptions(null, false, "given", null, null);
    assertEquals("given", HubSettings.of(given, env, HOME).token());
    assertFalse((given + "" + HubSettings.of(given, env, HOME)).contains("=given"));
    env.put("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    assertNull(settings(env).token());
  }

  @Test
  void theRestOfTheEnvironment() {
    assertEquals(URI.create("https://huggingface.co"), settings(Map.of()).endpoint());
    assertEquals(
        URI.create("http://mirror:8080/hf"),
        settings(Map.of("HF_ENDPOINT", "http://mirror:8080/hf/")).endpoint());
    assertTrue(settings(Map.of("HF_HUB_OFFLINE", "true")).offline());
    assertFalse(settings(Map.of("HF_HUB_OFFLINE", "0")).offline());
    for (Map<String, String> wrong :
        List.of(
            Map.of("HF_ENDPOINT", "nowhere"),
            Map.of("HF_TOKEN", "a\nb"),
            Map.of("HF_HUB_DOWNLOAD_TIMEOUT", "soon"))) {
      String name = wrong.keySet().iterator().next();
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> settings(wrong));
      assertTrue(e.getMessage().contains(name), e.getMessage());
    }
  }

  private static Set<String> choose(String variant, String... files) {
    String index =
        "{\"_class_name\": \"X\", \"unet\": [\"diffusers\", \"UNet2DConditionModel\"],"
            + " \"image_encoder\": [\"transformers\", \"M\"], \"text_encoder\": [null, null]}";
    return FileChoice.of("index", index.getBytes(StandardCharsets.UTF_8))
        .choose(Set.of(files), variant);
  }

  @Test
  void shardsComeWithTheirIndex() {
    String[] files = {
      "unet/config.json",
      "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
      "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
      "unet/diffusion_pytorch_model.safetensors.index.json",
      "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
      "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
      "unet/diffusion_pytorch_model-00001-of-00001.bf16.safetensors",
      "unet/diffusion_pytorch_model.safetensors.bf16.index.json",
      "unet/diffusion_pytorch_model.bin",
      "unet/diffusion_pytorch_model.bin.index.json",
      "image_encoder/model.safetensors",
      "text_encoder/model.safetensors",
    };
    assertEquals(Set.of(files[0], files[1], files[2], files[3]), choose(null, files));
    assertEquals(Set.of(files[0], files[4], files[5]), choose("fp16", files));
    assertEquals(Set.of(files[0], files[6], files[7]), choose("bf16", files));
    assertEquals(Set.of(files[0], files[1], files[2], files[3]), choose("int8", files));
  }

  @Test
  void pickledWeightsAreNamed() {
    HubException e =
        assertThrows(
            HubException.class,
            () -> choose("fp16", "unet/config.json", "unet/diffusion_pytorch_model.bin"));
    assertEquals(HubException.Reason.UNSUPPORTED, e.reason());
    assertTrue(e.getMessage().contains("unet has no safetensors weights"), e.getMessage());
    assertTrue(e.getMessage().contains("found diffusion_pytorch_model.bin"), e.getMessage());
  }

  @Test
  void whatIsNoIndexIsNone() {
    for (String json : List.of("[]", "{", "{}", "")) {
      assertThrows(
          HubException.class, () -> FileChoice.of("index", json.getBytes(StandardCharsets.UTF_8)));
    }
  }
}
