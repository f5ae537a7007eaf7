package io.github.distrifuser.metrics;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Learned perceptual image patch similarity, version 0.1 over AlexNet, as torchmetrics'
 * LearnedPerceptualImagePatchSimilarity computes it: 0 for equal pictures, about 1 for unrelated
 * ones.
 */
public final class Lpips implements AutoCloseable {
  private static final float[] SHIFT = {-0.030f, -0.088f, -0.188f};
  private static final float[] SCALE = {0.458f, 0.448f, 0.450f};
  private static final double EPSILON = 1e-8;

  /** Number of each convolution in torchvision's {@code features}. */
  private static final int[] LAYERS = {0, 3, 6, 8, 10};

  private static final int[] CHANNELS = {3, 64, 192, 384, 256, 256};
  private static final int[] KERNELS = {11, 5, 3, 3, 3};
  private static final int SMALLEST = 63; // what is left of less does not fill the last pool

  private final ConvNet net;
  private final List<ConvNet.Weights> convolutions = new ArrayList<>();
  private final float[][] linear = new float[LAYERS.length][];

  /**
   * Takes the weights; the files may be closed afterwards.
   *
   * @param backend of float32; stays the caller's
   * @param alexnet torchvision's AlexNet, {@code features.N.weight} and {@code .bias}; or a file of
   *     torchmetrics', {@code net.sliceK.N.weight}
   * @param lpips lpips' v0.1/alex.pth, {@code linN.model.1.weight}; may be the same
   * @throws io.github.distrifuser.weights.WeightsException naming the tensor that is missing or has
   *     another shape
   */
  public Lpips(Backend backend, StateDict alexnet, StateDict lpips) {
    this.net = new ConvNet(backend);
    for (int i = 0; i < LAYERS.length; i++) {
      linear[i] = lpips.get("lin" + i + ".model.1.weight", 1, CHANNELS[i + 1], 1, 1).toFloats();
      convolutions.add(weights(alexnet, i));
    }
  }

  private static ConvNet.Weights weights(StateDict alexnet, int layer) {
    String slice = "net.slice" + (layer + 1) + "." + LAYERS[layer];
    String name = alexnet.has(slice + ".weight") ? slice : "features." + LAYERS[layer];
    int k = KERNELS[layer];
    WeightTensor w = alexnet.get(name + ".weight", CHANNELS[layer + 1], CHANNELS[layer], k, k);
    return new ConvNet.Weights(w, alexnet.get(name + ".bias", CHANNELS[layer + 1]));
  }

  /**
   * How far apart two pictures look.
   *
   * @throws IllegalArgumentException where sizes differ, or are less than 63 pixels
   */
  public double of(GeneratedImage a, GeneratedImage b) {
    if (a.height() != b.height() || a.width() != b.width()) {
      throw new IllegalArgumentException("pictures of different size: " + a + " and " + b);
    }
    if (a.height() < SMALLEST || a.width() < SMALLEST) {
      throw new IllegalArgumentException(
          "LPIPS needs pictures of at least " + SMALLEST + " x " + SMALLEST + ", found " + a);
    }
    Tensor x = net.backend().allocate(2, a.height(), a.width(), 3);
    net.backend().write(scaled(a, b), 0, x);
    double sum = 0;
    for (int i = 0; i < LAYERS.length; i++) {
      int layer = i;
      if (i == 1 || i == 2) {
        x = net.maxPool(x, 3, 2, 0);
      }
      x = net.conv(x, "features." + LAYERS[i], () -> convolutions.get(layer), geometry(i));
      sum += difference(net.backend().toFloats(x), linear[i]);
    }
    x.close();
    return sum;
  }

  private static Conv2dGeometry geometry(int layer) {
    return layer == 0 ? Conv2dGeometry.of(4, 2) : Conv2dGeometry.of(1, KERNELS[layer] / 2);
  }

  /** Both pictures, from 0..255 to -1..1, then by LPIPS' own shift and scale. */
  private static float[] scaled(GeneratedImage a, GeneratedImage b) {
    int n = a.rgb().length;
    float[] f = new float[2 * n];
    for (int i = 0; i < 2 * n; i++) {
      float v = ((i < n ? a.rgb()[i] : b.rgb()[i - n]) & 0xff) / 255f;
      f[i] = (2 * v - 1 - SHIFT[i % 3]) / SCALE[i % 3];
    }
    return f;
  }

  /** Mean over the pixels of the weighted squared difference of the normalised channels. */
  private static double difference(float[] features, float[] weights) {
    int c = weights.length;
    int n = features.length / 2;
    double sum = 0;
    for (int at = 0; at < n; at += c) {
      double na = EPSILON;
      double nb = EPSILON;
      for (int k = 0; k < c; k++) {
        na += (double) features[at + k] * features[at + k];
        nb += (double) features[n + at + k] * features[n + at + k];
      }
      double fa = 1 / Math.sqrt(na);
      double fb = 1 / Math.sqrt(nb);
      for (int k = 0; k < c; k++) {
        double d = features[at + k] * fa - features[n + at + k] * fb;
        sum += weights[k] * d * d;
      }
    }
    return sum * c / n;
  }

  @Override
  public void close() {
    net.close();
  }
}
