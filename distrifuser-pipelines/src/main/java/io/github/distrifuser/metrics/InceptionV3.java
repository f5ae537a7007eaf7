package io.github.distrifuser.metrics;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.StateDict;

/**
 * The Inception network of 2015-12-05 up to its last pooling, with which FID is defined. It differs
 * from torchvision's: average pooling leaves the padding out, and the last block pools by maximum.
 * Modules have torchvision's names.
 */
final class InceptionV3 implements AutoCloseable {
  /** Rows and columns of the input. */
  static final int SIZE = 299;

  /** Width of the features. */
  static final int FEATURES = 2048;

  private final ConvNet net;
  private final InceptionWeights weights;

  /**
   * Takes the weights.
   *
   * @param backend of float32; stays the caller's
   * @param dict see {@link InceptionWeights}
   */
  InceptionV3(Backend backend, StateDict dict) {
    this.net = new ConvNet(backend);
    this.weights = new InceptionWeights(dict);
  }

  /**
   * The features of pictures.
   *
   * @param pixels {@code [b, 299, 299, 3]}, 0 to 255
   * @return {@code [b, 2048]}
   */
  float[] features(float[] pixels) {
    int b = pixels.length / (SIZE * SIZE * 3);
    float[] scaled = new float[pixels.length];
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = (pixels[i] - 128) / 128;
    }
    Tensor x = net.backend().allocate(b, SIZE, SIZE, 3);
    net.backend().write(scaled, 0, x);
    x = conv(x, "Conv2d_1a_3x3", 32, 3, 3, 2, 0, 0);
    x = conv(x, "Conv2d_2a_3x3", 32, 3, 3, 1, 0, 0);
    x = conv(x, "Conv2d_2b_3x3", 64, 3, 3, 1, 1, 1);
    x = net.maxPool(x, 3, 2, 0);
    x = conv(x, "Conv2d_3b_1x1", 80, 1, 1, 1, 0, 0);
    x = conv(x, "Conv2d_4a_3x3", 192, 3, 3, 1, 0, 0);
    x = net.maxPool(x, 3, 2, 0);
    x = blockA(x, "Mixed_5b", 32);
    x = blockA(x, "Mixed_5c", 64);
    x = blockA(x, "Mixed_5d", 64);
    x = blockB(x, "Mixed_6a");
    x = blockC(x, "Mixed_6b", 128);
    x = blockC(x, "Mixed_6c", 160);
    x = blockC(x, "Mixed_6d", 160);
    x = blockC(x, "Mixed_6e", 192);
    x = blockD(x, "Mixed_7a");
    x = blockE(x, "Mixed_7b", false);
    x = blockE(x, "Mixed_7c", true);
    float[] last = net.backend().toFloats(x);
    x.close();
    return means(last, b);
  }

  private static float[] means(float[] maps, int b) {
    int pixels = maps.length / (b * FEATURES);
    float[] out = new float[b * FEATURES];
    for (int n = 0; n < b; n++) {
      for (int k = 0; k < FEATURES; k++) {
        double sum = 0;
        for (int p = 0; p < pixels; p++) {
          sum += maps[(n * pixels + p) * FEATURES + k];
        }
        out[n * FEATURES + k] = (float) (sum / pixels);
      }
    }
    return out;
  }

  private Tensor conv(
      Tensor x, String name, int out, int kh, int kw, int stride, int padH, int padW) {
    int in = x.size(3);
    return net.conv(
        x,
        name,
        () -> weights.folded(name, out, in, kh, kw),
        new Conv2dGeometry(stride, padH, padH, padW, padW));
  }

  private Tensor pointwise(Tensor x, String name, int out) {
    return conv(x, name, out, 1, 1, 1, 0, 0);
  }

  private Tensor square(Tensor x, String name, int out, int k) {
    return conv(x, name, out, k, k, 1, k / 2, k / 2);
  }

  private Tensor blockA(Tensor x, String n, int poolOut) {
    Tensor one = pointwise(net.copy(x), n + ".branch1x1", 64);
    Tensor five = pointwise(net.copy(x), n + ".branch5x5_1", 48);
    five = square(five, n + ".branch5x5_2", 64, 5);
    Tensor three = pointwise(net.copy(x), n + ".branch3x3dbl_1", 64);
    three = square(three, n + ".branch3x3dbl_2", 96, 3);
    three = square(three, n + ".branch3x3dbl_3", 96, 3);
    Tensor pool = pointwise(net.averagePool(x, 3, 1, 1), n + ".branch_pool", poolOut);
    return net.concat(one, five, three, pool);
  }

  private Tensor blockB(Tensor x, String n) {
    Tensor three = conv(net.copy(x), n + ".branch3x3", 384, 3, 3, 2, 0, 0);
    Tensor twice = pointwise(net.copy(x), n + ".branch3x3dbl_1", 64);
    twice = square(twice, n + ".branch3x3dbl_2", 96, 3);
    twice = conv(twice, n + ".branch3x3dbl_3", 96, 3, 3, 2, 0, 0);
    return net.concat(three, twice, net.maxPool(x, 3, 2, 0));
  }

  private Tensor blockC(Tensor x, String n, int c) {
    Tensor one = pointwise(net.copy(x), n + ".branch1x1", 192);
    Tensor seven = pointwise(net.copy(x), n + ".branch7x7_1", c);
    seven = row(seven, n + ".branch7x7_2", c);
    seven = column(seven, n + ".branch7x7_3", 192);
    Tensor twice = pointwise(net.copy(x), n + ".branch7x7dbl_1", c);
    twice = column(twice, n + ".branch7x7dbl_2", c);
    twice = row(twice, n + ".branch7x7dbl_3", c);
    twice = column(twice, n + ".branch7x7dbl_4", c);
    twice = row(twice, n + ".branch7x7dbl_5", 192);
    Tensor pool = pointwise(net.averagePool(x, 3, 1, 1), n + ".branch_pool", 192);
    return net.concat(one, seven, twice, pool);
  }

  private Tensor row(Tensor x, String name, int out) {
    return conv(x, name, out, 1, 7, 1, 0, 3);
  }

  private Tensor column(Tensor x, String name, int out) {
    return conv(x, name, out, 7, 1, 1, 3, 0);
  }

  private Tensor blockD(Tensor x, String n) {
    Tensor three = pointwise(net.copy(x), n + ".branch3x3_1", 192);
    three = conv(three, n + ".branch3x3_2", 320, 3, 3, 2, 0, 0);
    Tensor seven = pointwise(net.copy(x), n + ".branch7x7x3_1", 192);
    seven = row(seven, n + ".branch7x7x3_2", 192);
    seven = column(seven, n + ".branch7x7x3_3", 192);
    seven = conv(seven, n + ".branch7x7x3_4", 192, 3, 3, 2, 0, 0);
    return net.concat(three, seven, net.maxPool(x, 3, 2, 0));
  }

  private Tensor blockE(Tensor x, String n, boolean maxPool) {
    Tensor one = pointwise(net.copy(x), n + ".branch1x1", 320);
    Tensor three = pointwise(net.copy(x), n + ".branch3x3_1", 384);
    Tensor threeA = conv(net.copy(three), n + ".branch3x3_2a", 384, 1, 3, 1, 0, 1);
    Tensor threeB = conv(three, n + ".branch3x3_2b", 384, 3, 1, 1, 1, 0);
    Tensor twice = pointwise(net.copy(x), n + ".branch3x3dbl_1", 448);
    twice = square(twice, n + ".branch3x3dbl_2", 384, 3);
    Tensor twiceA = conv(net.copy(twice), n + ".branch3x3dbl_3a", 384, 1, 3, 1, 0, 1);
    Tensor twiceB = conv(twice, n + ".branch3x3dbl_3b", 384, 3, 1, 1, 1, 0);
    Tensor pooled = maxPool ? net.maxPool(x, 3, 1, 1) : net.averagePool(x, 3, 1, 1);
    Tensor pool = pointwise(pooled, n + ".branch_pool", 192);
    return net.concat(one, threeA, threeB, twiceA, twiceB, pool);
  }

  @Override
  public void close() {
    net.close();
  }
}
