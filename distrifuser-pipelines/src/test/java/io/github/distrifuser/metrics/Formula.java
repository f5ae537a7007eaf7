package io.github.distrifuser.metrics;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/** The pictures and weights of src-test-resources/make/metrics.py, by the same formula. */
public final class Formula {
  private Formula() {}

  /** A number in [0, 1): splitmix64's mixer over a counter from 0. */
  static double uniform(long seed, int i) {
    long z = (i + 1L) * 0x9E3779B97F4A7C15L + seed * 0xD1B54A32D192ED03L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    z = z ^ (z >>> 31);
    return (z >>> 40) * 0x1p-24;
  }

  /** Blocks of 8 pixels over a gradient; with noise of at most 12 levels. */
  public static GeneratedImage picture(int number, int h, int w, boolean noisy) {
    byte[] rgb = new byte[3 * h * w];
    int columns = (w + 7) / 8;
    for (int i = 0; i < rgb.length; i++) {
      int c = i % 3;
      int x = i / 3 % w;
      int y = i / 3 / w;
      int block = ((y / 8) * columns + x / 8) * 3 + c;
      int v = (int) (uniform(number, block) * 160) + x * 90 / w;
      if (noisy) {
        v += (int) (uniform(1000 + number, i) * 25) - 12;
      }
      rgb[i] = (byte) Math.max(0, Math.min(255, v));
    }
    return new GeneratedImage(h, w, rgb);
  }

  /** A tensor by its name. */
  public static WeightTensor weight(String name, long... shape) {
    return weight(name, Shape.of(shape));
  }

  static WeightTensor weight(String name, Shape shape) {
    CRC32 crc = new CRC32();
    crc.update(name.getBytes(StandardCharsets.UTF_8));
    int n = Math.toIntExact(shape.elements());
    ByteBuffer data = ByteBuffer.allocate(n * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    double fanIn = 1;
    for (int i = 1; i < shape.rank(); i++) {
      fanIn *= shape.dim(i);
    }
    for (int i = 0; i < n; i++) {
      double u = uniform(crc.getValue(), i);
      double v;
      if (name.startsWith("lin")) {
        v = u * 2.0 / fanIn;
      } else if (shape.rank() == 4) {
        v = (u - 0.5) * 2 * Math.sqrt(6.0 / fanIn);
      } else if (name.endsWith("bn.weight") || name.endsWith("running_var")) {
        v = 1 + 0.4 * (u - 0.5);
      } else {
        v = 0.2 * (u - 0.5);
      }
      data.putFloat((float) v);
    }
    return new WeightTensor(name, "formula", DType.F32, shape, data.flip());
  }

  /** All weights, each made when it is asked for. */
  public static StateDict weights() {
    return StateDict.generated("formula", (source, name, shape) -> weight(name, shape));
  }
}
