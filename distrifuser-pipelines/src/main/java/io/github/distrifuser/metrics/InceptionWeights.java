package io.github.distrifuser.metrics;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * The Inception network's weights by torchvision's names, each convolution with its batch
 * normalisation folded in. They come from pytorch-fid's pt_inception-2015-12-05-6726825d.pth, or
 * from NVIDIA's inception-2015-12-05.pt, a TorchScript file whose modules have TensorFlow's names.
 */
final class InceptionWeights {
  private static final double EPSILON = 0.001;

  /** TensorFlow's names of the stem and the blocks. */
  private static final Map<String, String> MODULES =
      Map.ofEntries(
          Map.entry("Conv2d_1a_3x3", "conv"),
          Map.entry("Conv2d_2a_3x3", "conv_1"),
          Map.entry("Conv2d_2b_3x3", "conv_2"),
          Map.entry("Conv2d_3b_1x1", "conv_3"),
          Map.entry("Conv2d_4a_3x3", "conv_4"),
          Map.entry("Mixed_5b", "mixed"),
          Map.entry("Mixed_5c", "mixed_1"),
          Map.entry("Mixed_5d", "mixed_2"),
          Map.entry("Mixed_6a", "mixed_3"),
          Map.entry("Mixed_6b", "mixed_4"),
          Map.entry("Mixed_6c", "mixed_5"),
          Map.entry("Mixed_6d", "mixed_6"),
          Map.entry("Mixed_6e", "mixed_7"),
          Map.entry("Mixed_7a", "mixed_8"),
          Map.entry("Mixed_7b", "mixed_9"),
          Map.entry("Mixed_7c", "mixed_10"));

  /** TensorFlow's names of the branches; blocks that name one otherwise come first in tfName. */
  private static final Map<String, String> BRANCHES =
      Map.ofEntries(
          Map.entry("branch1x1", "conv"),
          Map.entry("branch5x5_1", "tower.conv"),
          Map.entry("branch5x5_2", "tower.conv_1"),
          Map.entry("branch3x3dbl_1", "tower_1.conv"),
          Map.entry("branch3x3dbl_2", "tower_1.conv_1"),
          Map.entry("branch3x3dbl_3", "tower_1.conv_2"),
          Map.entry("branch_pool", "tower_2.conv"),
          Map.entry("branch7x7_1", "tower.conv"),
          Map.entry("branch7x7_2", "tower.conv_1"),
          Map.entry("branch7x7_3", "tower.conv_2"),
          Map.entry("branch7x7dbl_1", "tower_1.conv"),
          Map.entry("branch7x7dbl_2", "tower_1.conv_1"),
          Map.entry("branch7x7dbl_3", "tower_1.conv_2"),
          Map.entry("branch7x7dbl_4", "tower_1.conv_3"),
          Map.entry("branch7x7dbl_5", "tower_1.conv_4"),
          Map.entry("branch3x3_1", "tower.conv"),
          Map.entry("branch3x3_2", "tower.conv_1"),
          Map.entry("branch7x7x3_1", "tower_1.conv"),
          Map.entry("branch7x7x3_2", "tower_1.conv_1"),
          Map.entry("branch7x7x3_3", "tower_1.conv_2"),
          Map.entry("branch7x7x3_4", "tower_1.conv_3"));

  private static final Map<String, String> BRANCHES_6A =
      Map.of(
          "branch3x3", "conv",
          "branch3x3dbl_1", "tower.conv",
          "branch3x3dbl_2", "tower.conv_1",
          "branch3x3dbl_3", "tower.conv_2");

  private static final Map<String, String> BRANCHES_7BC =
      Map.of(
          "branch1x1", "conv",
          "branch3x3_1", "tower_conv",
          "branch3x3_2a", "tower_mixed_conv",
          "branch3x3_2b", "tower_mixed_conv_1",
          "branch3x3dbl_1", "tower_1_conv",
          "branch3x3dbl_2", "tower_1_conv_1",
          "branch3x3dbl_3a", "tower_1_mixed_conv",
          "branch3x3dbl_3b", "tower_1_mixed_conv_1",
          "branch_pool", "tower_2_conv");

  private final StateDict dict;
  private final boolean tensorFlow;

  InceptionWeights(StateDict dict) {
    this.dict = dict;
    this.tensorFlow = dict.has("layers.conv.weight");
  }

  /** The name in NVIDIA's file. */
  static String tfName(String name) {
    int dot = name.indexOf('.');
    if (dot < 0) {
      return "layers." + MODULES.get(name);
    }
    String block = name.substring(0, dot);
    Map<String, String> branches =
        switch (block) {
          case "Mixed_6a" -> BRANCHES_6A;
          case "Mixed_7b", "Mixed_7c" -> BRANCHES_7BC;
          default -> BRANCHES;
        };
    return "layers." + MODULES.get(block) + "." + branches.get(name.substring(dot + 1));
  }

  /**
   * A convolution with its normalisation in it: {@code w * g / sqrt(var + 0.001)} and {@code beta -
   * mean * g / sqrt(var + 0.001)}.
   *
   * @param name torchvision's
   */
  ConvNet.Weights folded(String name, int out, int in, int kh, int kw) {
    String tf = tensorFlow ? tfName(name) : "";
    WeightTensor w = dict.get(tensorFlow ? tf + ".weight" : name + ".conv.weight", out, in, kh, kw);
    float[] mean = vector(tensorFlow ? tf + ".mean" : name + ".bn.running_mean", out);
    float[] variance = vector(tensorFlow ? tf + ".var" : name + ".bn.running_var", out);
    float[] beta = vector(tensorFlow ? tf + ".beta" : name + ".bn.bias", out);
    float[] values = w.toFloats();
    float[] bias = new float[out];
    int each = values.length / out;
    float[] gamma = tensorFlow ? new float[0] : vector(name + ".bn.weight", out);
    for (int o = 0; o < out; o++) {
      double g = (tensorFlow ? 1 : gamma[o]) / Math.sqrt(variance[o] + EPSILON);
      for (int i = o * each; i < (o + 1) * each; i++) {
        values[i] = (float) (values[i] * g);
      }
      bias[o] = (float) (beta[o] - mean[o] * g);
    }
    return new ConvNet.Weights(
        tensor(w, w.name(), values, w.shape()), tensor(w, name + ".bias", bias, Shape.of(out)));
  }

  private float[] vector(String name, int n) {
    return dict.get(name, n).toFloats();
  }

  private static WeightTensor tensor(WeightTensor from, String name, float[] values, Shape shape) {
    ByteBuffer b =
        ByteBuffer.allocateDirect(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    b.asFloatBuffer().put(values);
    return new WeightTensor(name, from.source(), DType.F32, shape, b);
  }
}
