package io.github.distrifuser.launch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.SafetensorsFile;
import io.github.distrifuser.weights.SafetensorsWriter;
import io.github.distrifuser.weights.WeightTensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Wrong command lines and damaged models: one line that names what is wrong, an exit status of 1 or
 * 2, no stack trace, and no file left behind.
 */
class BadInputTest {
  private static final String UNET = "unet/diffusion_pytorch_model.fp16.safetensors";

  @TempDir Path folder;
  private Path model;
  private Path output;

  @BeforeEach
  void copyModel() throws IOException {
    model = folder.resolve("model");
    output = folder.resolve("out.png");
    Path from = ReferenceModels.root().resolve("models/tiny-sd1");
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes a) throws IOException {
            Path to = model.resolve(from.relativize(file).toString());
            Files.createDirectories(to.getParent());
            Files.copy(file, to);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  // --- the harness ---

  /** Runs and returns the one error line. */
  private String fails(int status, String... extra) throws IOException {
    List<String> args =
        new ArrayList<>(
            List.of(
                "--model",
                model.toString(),
                "--variant",
                "fp16",
                "--device",
                "reference",
                "--image_size",
                "64",
                "--num_inference_steps",
                "2",
                "--output_path",
                output.toString()));
    args.addAll(List.of(extra));
    PrintStream realErr = System.err;
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int found;
    try {
      System.setErr(new PrintStream(err, true, UTF_8));
      found = RunCommand.run("run_sd", args.toArray(new String[0]));
    } finally {
      System.setErr(realErr);
    }
    String text = err.toString(UTF_8);
    List<String> errors = text.lines().filter(l -> l.startsWith("error: ")).toList();
    assertEquals(1, errors.size(), text);
    assertFalse(text.contains("\tat "), text);
    assertEquals(status, found, text);
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(model), files.toList(), "files left behind");
    }
    return errors.get(0);
  }

  private static void names(String error, String... parts) {
    for (String p : parts) {
      assertTrue(error.contains(p), error + "\n  does not name " + p);
    }
  }

  private void edit(String file, UnaryOperator<ObjectNode> change) throws IOException {
    JsonMapper json = new JsonMapper();
    Path p = model.resolve(file);
    json.writeValue(p.toFile(), change.apply((ObjectNode) json.readTree(p.toFile())));
  }

  // --- options ---

  @ParameterizedTest
  @CsvSource({
    "--image_size, 100, multiple of 8",
    "--image_size, 0, multiple of 8",
    "--image_size, -64, multiple of 8",
    "--image_size, big, --image_size",
    "--num_inference_steps, 0, num_inference_steps",
    "--num_inference_steps, ten, --num_inference_steps",
    "--num_images_per_prompt, 0, --num_images_per_prompt",
    "--guidance_rescale, 2, guidance_rescale",
    "--denoising_end, 1.5, denoising_end",
    "--eta, -1, eta",
    "--clip_skip, -1, clip_skip",
    "--scheduler, best, dpm-solver",
    "--sync_mode, none, corrected_async_gn",
    "--parallelism, all, naive_patch",
    "--split_scheme, diagonal, alternate",
    "--mode, fast, benchmark",
    "--dtype, float8, bfloat16",
    "--generator, java, torch-cuda",
    "--output_type, jpeg, latent",
    "--warmup_steps, -1, warmup_steps",
    "--test_times, 0, --test_times",
    "--ignore_ratio, 1, --ignore_ratio",
    "--crops_coords_top_left, 1, two whole numbers",
    "--original_size, x, --original_size",
    "--output_path, /nowhere/at/all.png, --output_path",
    "--report, /nowhere/at/all.json, --report",
    "--latents, missing.safetensors, missing.safetensors",
    "--no_such_option, 1, --no_such_option"
  })
  void wrongOptions(String option, String value, String named) throws IOException {
    names(fails(2, option, value), named);
  }

  @ParameterizedTest
  @CsvSource({"--model, nowhere, nowhere", "--device, tpu, tpu", "--variant, fp8, fp8"})
  void wrongChoicesOfModelAndDevice(String option, String value, String named) throws IOException {
    names(fails(1, option, value), named);
  }

  @Test
  void dashesAndUnderscoresAreTheSameAndTheLastOptionWins() throws IOException {
    names(fails(2, "--num-inference-steps", "3", "--num_inference_steps=-4"), "-4");
  }

  @Test
  void valuesMayLookLikeOptions() throws IOException {
    names(fails(2, "--prompt", "--seed", "--seed", "--prompt"), "--seed", "'--prompt'");
  }

  @Test
  void aMissingValueNamesItsOption() throws IOException {
    names(fails(2, "--seed"), "--seed");
  }

  // --- weights ---

  @ParameterizedTest
  @ValueSource(longs = {0, 4, 8, 100, 20_000})
  void cutWeights(long bytes) throws IOException {
    Path file = model.resolve(UNET);
    byte[] all = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(all, (int) bytes));
    names(fails(1), "diffusion_pytorch_model.fp16.safetensors");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MAX_VALUE, 1L << 40, 3})
  void lyingHeaderLength(long length) throws IOException {
    Path file = model.resolve(UNET);
    byte[] all = Files.readAllBytes(file);
    ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
    Files.write(file, all);
    names(fails(1), "diffusion_pytorch_model.fp16.safetensors");
  }

  @ParameterizedTest
  @CsvSource({
    "data_offsets\":[0, data_offsets\":[9",
    "\"F16\", \"F99\"",
    "\"shape\":[32, \"shape\":[33",
    "\"shape\":[32, \"shape\":[-2"
  })
  void lyingHeader(String honest, String lie) throws IOException {
    Path file = model.resolve(UNET);
    byte[] all = Files.readAllBytes(file);
    int length = (int) ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    String header = new String(all, 8, length, UTF_8);
    assertTrue(header.contains(honest), honest);
    byte[] changed =
        header.replaceFirst(java.util.regex.Pattern.quote(honest), lie).getBytes(UTF_8);
    assertEquals(length, changed.length);
    System.arraycopy(changed, 0, all, 8, length);
    Files.write(file, all);
    names(fails(1), "diffusion_pytorch_model.fp16.safetensors");
  }

  /** Writes a component's weights anew, with one tensor changed or left out. */
  private void rewrite(String file, String tensor, UnaryOperator<WeightTensor> change)
      throws IOException {
    Path p = model.resolve(file);
    Path copy = model.resolve("copy");
    SafetensorsWriter w = new SafetensorsWriter();
    try (SafetensorsFile f = SafetensorsFile.open(p)) {
      assertTrue(f.has(tensor), tensor);
      for (String name : f.names()) {
        WeightTensor t = name.equals(tensor) ? change.apply(f.get(name)) : f.get(name);
        if (t != null) {
          w.add(t);
        }
      }
      w.write(copy);
    }
    Files.move(copy, p, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
  }

  @ParameterizedTest
  @CsvSource({
    "unet/diffusion_pytorch_model.fp16.safetensors, mid_block.resnets.0.conv1.weight",
    "vae/diffusion_pytorch_model.fp16.safetensors, decoder.conv_in.bias",
    "text_encoder/model.fp16.safetensors, text_model.final_layer_norm.weight"
  })
  void aMissingTensor(String file, String tensor) throws IOException {
    rewrite(file, tensor, t -> null);
    names(fails(1), file, tensor);
  }

  @ParameterizedTest
  @CsvSource({
    "unet/diffusion_pytorch_model.fp16.safetensors, conv_in.weight",
    "vae/diffusion_pytorch_model.fp16.safetensors, decoder.conv_out.weight",
    "text_encoder/model.fp16.safetensors, text_model.embeddings.position_embedding.weight"
  })
  void aMisshapenTensor(String file, String tensor) throws IOException {
    rewrite(
        file,
        tensor,
        t ->
            new WeightTensor(
                t.name(), t.source(), DType.F16, Shape.of(1, t.shape().elements()), t.data()));
    names(fails(1), file, tensor, "expected", "found");
  }

  @ParameterizedTest
  @CsvSource({
    "unet/diffusion_pytorch_model.fp16.safetensors, conv_in.weight",
    "vae/diffusion_pytorch_model.fp16.safetensors, decoder.conv_in.weight",
    "text_encoder/model.fp16.safetensors, text_model.final_layer_norm.bias"
  })
  void notANumber(String file, String tensor) throws IOException {
    rewrite(
        file,
        tensor,
        t -> {
          ByteBuffer b = ByteBuffer.allocateDirect((int) (2 * t.shape().elements()));
          b.order(ByteOrder.LITTLE_ENDIAN).put(t.data());
          b.putShort(2, (short) 0x7e00);
          return new WeightTensor(t.name(), t.source(), DType.F16, t.shape(), b.flip());
        });
    names(fails(1), file, tensor, "NaN");
  }

  // --- configurations ---

  @ParameterizedTest
  @CsvSource({
    "unet/config.json, mid_block_type, MyBlock, MyBlock",
    "unet/config.json, act_fn, relu6, relu6",
    "unet/config.json, norm_num_groups, 7, norm_num_groups",
    "unet/config.json, sample_size, huge, sample_size",
    "unet/config.json, class_embed_type, timestep, class_embed_type",
    "vae/config.json, act_fn, relu6, relu6",
    "text_encoder/config.json, hidden_act, relu6, relu6",
    "text_encoder/config.json, num_attention_heads, 5, num_attention_heads",
    "scheduler/scheduler_config.json, prediction_type, guess, guess",
    "scheduler/scheduler_config.json, beta_schedule, wavy, wavy",
    "model_index.json, _class_name, FluxPipeline, FluxPipeline"
  })
  void wrongConfigurations(String file, String key, String value, String named) throws IOException {
    edit(
        file, n -> value.matches("\\d+") ? n.put(key, Integer.parseInt(value)) : n.put(key, value));
    names(fails(1), file, named);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model_index.json",
        "unet/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt"
      })
  void damagedOrMissingFiles(String file) throws IOException {
    Path p = model.resolve(file);
    byte[] all = Files.readAllBytes(p);
    Files.write(p, Arrays.copyOf(all, all.length / 2), StandardOpenOption.TRUNCATE_EXISTING);
    if (!file.endsWith("merges.txt")) { // half of these is a list of merges still
      names(fails(1), file);
    }
    Files.delete(p);
    names(fails(1), file);
  }

  @Test
  void latentsOfAnotherSize() throws IOException {
    Path latents = model.resolve("latents.safetensors");
    new SafetensorsWriter()
        .add("latents", DType.F32, Shape.of(1, 4, 4, 4), new float[64])
        .write(latents);
    names(fails(1, "--latents", latents.toString()), "latents", "[1, 4, 8, 8]", "[1, 4, 4, 4]");
  }
}
