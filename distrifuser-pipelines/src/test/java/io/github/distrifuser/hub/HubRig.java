package io.github.distrifuser.hub;

import io.github.distrifuser.progress.ProgressReporter;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** A server with a small repository, and calls of what is tested. */
final class HubRig {
  static final String UNET = "unet/diffusion_pytorch_model.safetensors";
  static final String UNET_FP16 = "unet/diffusion_pytorch_model.fp16.safetensors";
  static final String VAE = "vae/diffusion_pytorch_model.safetensors";
  static final HubId ID = new HubId(HubServer.REPO, "main");

  private HubRig() {}

  /** Files as repositories hold them: what is needed, what is not, and other formats. */
  static Map<String, byte[]> files() {
    Map<String, byte[]> f = new LinkedHashMap<>();
    f.put("README.md", text("# read me"));
    f.put(
        "model_index.json",
        text(
            """
            {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.24.0",
             "scheduler": ["diffusers", "PNDMScheduler"], "tokenizer": ["transformers", "CLIPTokenizer"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
             "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
             "feature_extractor": [null, null], "requires_safety_checker": true}
            """));
    f.put("scheduler/scheduler_config.json", text("{\"steps\": 1000}"));
    f.put("tokenizer/vocab.json", text("{}"));
    f.put("tokenizer/merges.txt", text("a b\n"));
    f.put("unet/config.json", text("{\"unet\": true}"));
    f.put(UNET, noise(1, 400_000));
    f.put(UNET_FP16, noise(2, 200_000));
    f.put("unet/diffusion_pytorch_model.bin", noise(3, 1000));
    f.put("vae/config.json", text("{\"vae\": true}"));
    f.put(VAE, noise(4, 300_000));
    f.put("safety_checker/config.json", text("{}"));
    f.put("safety_checker/model.safetensors", noise(5, 1000));
    f.put("v1-5-pruned.safetensors", noise(6, 1000));
    return f;
  }

  private static byte[] text(String s) {
    return s.getBytes(StandardCharsets.UTF_8);
  }

  static byte[] noise(long seed, int n) {
    byte[] b = new byte[n];
    new Random(seed).nextBytes(b);
    return b;
  }

  static HubServer server() throws IOException {
    return new HubServer(files());
  }

  static HubSettings settings(HubServer server, Path cache, @Nullable String token) {
    return new HubSettings(
        URI.create(server.endpoint()),
        cache,
        token,
        false,
        Duration.ofSeconds(10),
        Duration.ofMillis(1));
  }

  static HubSettings offline(Path cache) {
    return new HubSettings(
        URI.create("http://127.0.0.1:1"),
        cache,
        null,
        true,
        Duration.ofSeconds(10),
        Duration.ofMillis(1));
  }

  static Path snapshot(HubId id, @Nullable String variant, HubSettings settings) {
    return Hub.snapshot(id, variant, settings, ProgressReporter.Config.disable(true));
  }

  static Path snapshot(HubServer server, Path cache) {
    return snapshot(ID, null, settings(server, cache, null));
  }
}
