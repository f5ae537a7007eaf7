package io.github.distrifuser.metrics;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Fréchet inception distance of two sets of pictures, as clean-fid computes it in its mode "clean":
 * resized by PIL's bicubic filter to 299 x 299 without rounding, through the Inception network of
 * 2015-12-05.
 */
public final class Fid implements AutoCloseable {
  private final InceptionV3 inception;

  /**
   * Takes the weights, which have to stay open until the first features have been computed.
   *
   * @param backend of float32; stays the caller's
   * @param inception pytorch-fid's pt_inception-2015-12-05-6726825d.pth, or NVIDIA's
   *     inception-2015-12-05.pt
   */
  public Fid(Backend backend, StateDict inception) {
    this.inception = new InceptionV3(backend, inception);
  }

  /** A picture as the network takes it, {@code [299, 299, 3]}, 0 to 255. */
  public static float[] resized(GeneratedImage image) {
    int size = InceptionV3.SIZE;
    float[] f =
        Resampling.resize(
            Resampling.floats(image),
            image.height(),
            image.width(),
            size,
            size,
            Resampling.Filter.BICUBIC);
    for (int i = 0; i < f.length; i++) {
      f[i] = Math.max(0, Math.min(255, f[i]));
    }
    return f;
  }

  /**
   * The features of pictures, 2048 of each.
   *
   * @param resized by {@link #resized}
   */
  public List<float[]> features(List<float[]> resized) {
    int each = InceptionV3.SIZE * InceptionV3.SIZE * 3;
    float[] all = new float[Math.multiplyExact(resized.size(), each)];
    for (int i = 0; i < resized.size(); i++) {
      System.arraycopy(resized.get(i), 0, all, i * each, each);
    }
    float[] features = inception.features(all);
    List<float[]> out = new ArrayList<>();
    for (int i = 0; i < resized.size(); i++) {
      int from = i * InceptionV3.FEATURES;
      out.add(Arrays.copyOfRange(features, from, from + InceptionV3.FEATURES));
    }
    return out;
  }

  /**
   * The distance of two sets of features.
   *
   * @throws IllegalArgumentException where one has fewer than two
   */
  public static double distance(List<float[]> a, List<float[]> b) {
    return FrechetDistance.of(a, b);
  }

  @Override
  public void close() {
    inception.close();
  }
}
