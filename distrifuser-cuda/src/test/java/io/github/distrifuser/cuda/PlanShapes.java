package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.vae.AutoencoderKL;
import io.github.distrifuser.models.vae.AutoencoderKLConfig;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.plan.Recorder;
import io.github.distrifuser.plan.Workload;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.ModelConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.Consumer;

/**
 * The convolutions and attentions that cuDNN is asked for, gathered from models that run on a
 * backend that computes nothing. Each shape is kept once, with the models that have it.
 */
final class PlanShapes {
  /** Pictures are squares of so many pixels. */
  static final List<Integer> SIZES = List.of(512, 1024, 2048, 3840);

  static final List<Integer> RANKS = List.of(1, 2, 4, 8);

  /** Of types other than float16. */
  static final int OTHER_SIZE = 1024;

  private final Map<ConvPlans.Key, Set<String>> convolutions =
      Collections.synchronizedMap(new LinkedHashMap<>());
  private final Map<SdpaPlans.Key, Set<String>> attentions =
      Collections.synchronizedMap(new LinkedHashMap<>());

  /** Shapes of convolutions, each with the names of models. */
  Map<ConvPlans.Key, Set<String>> convolutions() {
    return convolutions;
  }

  /** Shapes of attentions, each with the names of models. */
  Map<SdpaPlans.Key, Set<String>> attentions() {
    return attentions;
  }

  /** Those of SD 1.5, SD 2 and SDXL: all in float16, and one size on one rank in other types. */
  static PlanShapes all() {
    PlanShapes shapes = new PlanShapes();
    ModelConfig sd15 = config("sd15/unet");
    Map<String, Object> sd2 =
        Map.of(
            "attention_head_dim",
            List.of(5, 10, 20, 20),
            "cross_attention_dim",
            1024,
            "use_linear_projection",
            true);
    Map<String, UNetConfig> unets = new LinkedHashMap<>();
    unets.put("SD 1.5", UNetConfig.of(sd15));
    unets.put("SD 2", UNetConfig.of(sd15.with(sd2)));
    unets.put("SDXL", UNetConfig.of(config("sdxl/unet")));
    AutoencoderKLConfig vae = AutoencoderKLConfig.of(config("sdxl/vae"));
    for (int size : SIZES) {
      unets.forEach(
          (model, unet) -> {
            for (int ranks : RANKS) {
              shapes.unet(model, unet, DType.F16, size, ranks);
            }
          });
      shapes.vae("VAE", vae, DType.F16, size);
    }
    for (DType dtype : List.of(DType.BF16, DType.F32)) {
      unets.forEach((model, unet) -> shapes.unet(model, unet, dtype, OTHER_SIZE, 1));
      shapes.vae("VAE", vae, dtype, OTHER_SIZE);
    }
    return shapes;
  }

  private static ModelConfig config(String part) {
    String name = "/io/github/distrifuser/pipelines/architectures/" + part + "/config.json";
    try (InputStream in = PlanShapes.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("no " + name);
      }
      return ModelConfig.parse(name, in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(name, e);
    }
  }

  private void unet(String model, UNetConfig unet, DType dtype, int size, int ranks) {
    for (boolean split : new boolean[] {true, false}) {
      DistriConfig config =
          DistriConfig.builder().height(size).width(size).splitBatch(split).build();
      Workload w = new Workload(unet, config, 8, 1, dtype, 10);
      Recorder.record(w, ranks, b -> observe(b, model));
    }
  }

  private void vae(String model, AutoencoderKLConfig config, DType dtype, int size) {
    Recorder.run(
        dtype,
        (b, weights) -> {
          try (AutoencoderKL vae =
              new AutoencoderKL(config, new Layers(observe(b, model), weights))) {
            vae.decode(NdArray.zeros(1, config.latentChannels(), size / 8, size / 8));
            vae.encode(NdArray.zeros(1, 3, size, size));
          }
        });
  }

  /** The backend, its convolutions and attentions noted. */
  private Backend observe(Backend backend, String model) {
    Map<String, Consumer<Object[]>> seen =
        Map.of("conv2d", a -> convolution(a, model), "attention", a -> attention(a, model));
    return (Backend)
        Proxy.newProxyInstance(
            PlanShapes.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, arguments) -> {
              Consumer<Object[]> note = seen.get(method.getName());
              if (note != null) {
                note.accept(arguments);
              }
              try {
                return method.invoke(backend, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void convolution(Object[] a, String model) {
    Tensor x = (Tensor) a[0];
    PreparedWeight w = (PreparedWeight) a[1];
    Conv2dGeometry geometry = (Conv2dGeometry) a[2];
    Tensor channelBias = (Tensor) a[3];
    Tensor residual = (Tensor) a[4];
    Tensor out = (Tensor) a[5];
    boolean apart = residual == null || residual.storage() != out.storage();
    if (w.shape().dim(2) * w.shape().dim(3) > 1 || geometry.stride() > 1) {
      ConvOps.parts(
          x,
          w.shape().size(2),
          geometry,
          apart ? channelBias : null,
          apart ? residual : null,
          out,
          CudaContext.LARGEST,
          (part, g, c, r, to) ->
              add(
                  convolutions,
                  ConvPlans.Key.of(part, w.shape(), true, g, c, r, to, Tensor::byteOffset),
                  model));
    }
  }

  private void attention(Object[] a, String model) {
    Tensor q = (Tensor) a[0];
    Tensor k = (Tensor) a[1];
    Tensor v = (Tensor) a[2];
    int heads = (int) a[3];
    Tensor out = (Tensor) a[6];
    add(attentions, SdpaPlans.Key.of(q, k, v, heads, out), model);
  }

  private static <K> void add(Map<K, Set<String>> to, K key, String model) {
    to.computeIfAbsent(key, n -> new ConcurrentSkipListSet<>()).add(model);
  }

  /** Names of models, for one cell. */
  static String names(Set<String> models) {
    return String.join(", ", new TreeSet<>(models));
  }
}
