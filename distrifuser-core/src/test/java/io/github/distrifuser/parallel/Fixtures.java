package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Backends, weights and inputs of the tests of parallel layers. */
public final class Fixtures {
  private Fixtures() {}

  public static Backend backend() {
    return Backends.choose("reference").create(new BackendOptions(DType.F32, 1, 0));
  }

  /**
   * Weights in which every bias and every norm counts, unlike those of {@link StateDict#random}.
   */
  public static StateDict weights(long seed) {
    return StateDict.generated("test", (source, name, shape) -> weight(seed, source, name, shape));
  }

  private static WeightTensor weight(long seed, String source, String name, Shape shape) {
    Random r = new Random(seed * 31 + name.hashCode());
    int n = Math.toIntExact(shape.elements());
    boolean vector = shape.rank() < 2;
    double scale = vector ? 0.3 : Math.sqrt((double) shape.dim(0) / n);
    double mean = vector && name.endsWith("weight") ? 1 : 0;
    ByteBuffer b = ByteBuffer.allocate(4 * n).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < n; i++) {
      b.putFloat((float) (mean + scale * r.nextGaussian()));
    }
    return new WeightTensor(name, source, DType.F32, shape, b.flip());
  }

  public static WeightStore store() {
    return new WeightStore(weights(7));
  }

  /** Normal numbers. */
  public static NdArray normal(long seed, long... dims) {
    NdArray a = NdArray.zeros(dims);
    Random r = new Random(seed);
    for (int i = 0; i < a.data().length; i++) {
      a.data()[i] = (float) r.nextGaussian();
    }
    return a;
  }

  public static Tensor upload(Backend backend, NdArray a) {
    Tensor t = backend.allocate(a.shape().toArray());
    backend.write(a.data(), 0, t);
    return t;
  }

  /** A UNet of three levels with transformers at two: latent rows are cut in multiples of 4. */
  public static UNetConfig unet(Map<String, Object> changes) {
    ModelConfig base =
        ModelConfig.of(
            "test",
            Map.ofEntries(
                Map.entry("block_out_channels", List.of(8, 12, 16)),
                Map.entry(
                    "down_block_types",
                    List.of("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")),
                Map.entry(
                    "up_block_types",
                    List.of("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")),
                Map.entry("layers_per_block", 1),
                Map.entry("attention_head_dim", List.of(1, 2, 4)),
                Map.entry("cross_attention_dim", 6),
                Map.entry("norm_num_groups", 4),
                Map.entry("transformer_layers_per_block", 1)));
    return UNetConfig.of(base.with(changes));
  }

  /** Both halves of one prompt. */
  public static DenoiserInputs inputs(int batch, int height, int width, boolean guidance) {
    return new DenoiserInputs(
        batch, height, width, guidance, normal(3, batch, 5, 6), null, null, null);
  }

  /** The largest absolute difference of two arrays of one shape. */
  public static double largestDifference(NdArray a, NdArray b) {
    if (!a.shape().equals(b.shape())) {
      throw new IllegalArgumentException(a + " and " + b);
    }
    double d = 0;
    for (int i = 0; i < a.data().length; i++) {
      d = Math.max(d, Math.abs(a.data()[i] - b.data()[i]));
    }
    return d;
  }
}
