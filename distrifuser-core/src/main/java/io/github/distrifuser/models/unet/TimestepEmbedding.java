package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.Linear;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** diffusers' TimestepEmbedding: two linear layers with an activation between. */
final class TimestepEmbedding {
  private final Linear linear1;
  private final Linear linear2;
  private final @Nullable Linear condProj;
  private final Activation activation;

  TimestepEmbedding(
      Layers layers, String name, int in, int width, int condWidth, Activation activation) {
    this.linear1 = layers.linear(name + ".linear_1", in, width, true);
    this.linear2 = layers.linear(name + ".linear_2", width, width, true);
    this.condProj =
        condWidth == 0 ? null : layers.linear(name + ".cond_proj", condWidth, in, false);
    this.activation = activation;
  }

  /**
   * Projects sinusoids.
   *
   * @param x {@code [b, in]}; overwritten when there is a condition
   * @param condition {@code [b, condWidth]} or null
   * @return {@code [b, width]}
   */
  Tensor forward(Tensor x, @Nullable Tensor condition) {
    if (condition != null) {
      if (condProj == null) {
        throw new IllegalArgumentException("this UNet takes no timestep_cond");
      }
      condProj.addTo(condition, x);
    }
    try (Tensor h = linear1.forward(x, activation)) {
      return linear2.forward(h, Activation.NONE);
    }
  }

  /**
   * Sinusoids of numbers, as diffusers' get_timestep_embedding makes them in float32.
   *
   * @return {@code [values.length, width]} in row-major order
   */
  static float[] sinusoids(float[] values, int width, boolean flipSinToCos, float freqShift) {
    int half = width / 2;
    float[] out = new float[values.length * width];
    float log = (float) -Math.log(10000);
    for (int i = 0; i < half; i++) {
      float exponent = log * i / (half - freqShift);
      float frequency = (float) Math.exp(exponent);
      for (int b = 0; b < values.length; b++) {
        float angle = values[b] * frequency;
        float sin = (float) Math.sin(angle);
        float cos = (float) Math.cos(angle);
        out[b * width + i] = flipSinToCos ? cos : sin;
        out[b * width + half + i] = flipSinToCos ? sin : cos;
      }
    }
    return out;
  }
}
