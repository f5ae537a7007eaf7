package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.hub.HubServer;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A model of a hub, in a pipeline and in processes. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "links need a right there")
class HubPipelineTest {
  @TempDir Path cache;
  private HubServer server;

  @BeforeEach
  void start() throws IOException {
    Path model = ReferenceModels.root().resolve("models/tiny-sd1");
    Map<String, byte[]> files = new LinkedHashMap<>();
    try (Stream<Path> walk = Files.walk(model)) {
      walk.filter(Files::isRegularFile).forEach(p -> files.put(relative(model, p), bytes(p)));
    }
    server = new HubServer(files);
  }

  private static String relative(Path folder, Path file) {
    return folder.relativize(file).toString().replace('\\', '/');
  }

  private static byte[] bytes(Path p) {
    try {
      return Files.readAllBytes(p);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static float[] latents(String model, LoadOptions options) {
    PipelineCase c = PipelineCase.load("pipeline/sd1_ddim_negative");
    try (DistriPipeline p = Pipelines.fromPretrained(DistriConfig.defaults(), model, options)) {
      GenerationRequest r = c.request().numInferenceSteps(1).outputType(OutputType.LATENT).build();
      return p.generate(r).latents().data();
    }
  }

  @Test
  void givesWhatTheFolderGives() {
    PipelineCase c = PipelineCase.load("pipeline/sd1_ddim_negative");
    LoadOptions.Builder b = c.options().device("reference");
    float[] expected = latents(c.model(), b.build());
    b.cacheDir(cache).endpoint(server.endpoint());
    assertArrayEquals(expected, latents(HubServer.REPO, b.revision("main").build()));
    b.localFilesOnly(true).revision(null);
    assertArrayEquals(expected, latents(HubServer.REPO + "@main", b.build()));
  }

  /** A process that wants the model. */
  static final class Wants {
    private Wants() {}

    public static void main(String[] args) {
      LoadOptions options =
          LoadOptions.builder()
              .variant("fp16")
              .cacheDir(Path.of(args[0]))
              .endpoint(args[1])
              .build();
      System.out.println(ModelSource.resolve(HubServer.REPO, options).folder().name());
    }
  }

  @Test
  void oneProcessBringsItAndTheOthersWait() throws Exception {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    List<Process> processes = new ArrayList<>();
    try {
      for (int i = 0; i < 3; i++) {
        ProcessBuilder b =
            new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classPath,
                Wants.class.getName(),
                cache.toString(),
                server.endpoint());
        processes.add(b.redirectError(ProcessBuilder.Redirect.INHERIT).start());
      }
      for (Process p : processes) {
        String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertEquals(0, p.waitFor(), out);
        assertTrue(Files.isRegularFile(Path.of(out, "unet/config.json")), out);
      }
    } finally {
      processes.forEach(Process::destroyForcibly);
    }
    String unet = "unet/diffusion_pytorch_model.fp16.safetensors";
    for (String f : List.of("model_index.json", "unet/config.json", unet)) {
      assertEquals(1, server.gets(f).size(), f);
    }
  }
}
