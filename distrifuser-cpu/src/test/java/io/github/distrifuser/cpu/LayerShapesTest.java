package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Layers of Stable Diffusion 1.5, 2 and XL and of the tiny test models run on none of oneDNN's
 * reference implementations, in each type that this CPU computes in.
 */
class LayerShapesTest {
  @ParameterizedTest
  @CsvSource({
    // channels, heads, text width, groups, height, width
    "320, 8, 768, 32, 8, 8",
    "320, 8, 768, 32, 40, 40",
    "320, 5, 1024, 32, 8, 8",
    "640, 8, 768, 32, 4, 8",
    "640, 10, 1024, 32, 4, 8",
    "1280, 20, 1024, 32, 4, 4",
    "640, 10, 2048, 32, 4, 8",
    "1280, 20, 2048, 32, 3, 4",
    "1280, 8, 768, 32, 1, 8",
    "32, 2, 32, 8, 8, 8",
    "64, 4, 32, 32, 4, 4",
    "8, 1, 16, 4, 5, 3"
  })
  void blocksOfAUNet(int c, int heads, int text, int groups, int h, int w) {
    for (int threads : new int[] {1, 2}) {
      blocks(DType.F32, threads, c, heads, text, groups, h, w);
      if (ComputeTypes.of(DType.BF16) == DType.BF16) {
        blocks(DType.BF16, threads, c, heads, text, groups, h, w);
      }
    }
  }

  private void blocks(
      DType dtype, int threads, int c, int heads, int text, int groups, int h, int w) {
    try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(dtype, threads, 0))) {
      for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
        layers(b, type, c, heads, text, groups, h, w);
      }
      assertFalse(b.context().implementations().isEmpty());
      for (String implementation : b.context().implementations()) {
        assertTrue(
            implementation.startsWith("brg") || implementation.startsWith("jit"), implementation);
      }
    }
  }

  private void layers(
      OneDnnBackend b, DType type, int c, int heads, int text, int groups, int h, int w) {
    int rows = h * w;
    for (int batch : new int[] {1, 2}) {
      Tensor x = b.allocate(batch, h, w, c);
      Tensor y = b.allocate(batch, h, w, c);
      Tensor tokens = x.reshape(batch, rows, c);
      Tensor out = y.reshape(batch, rows, c);
      conv(b, type, x, c, c, Conv2dGeometry.of(1, 1), y);
      if (h > 1) {
        conv(b, type, x, c, c, new Conv2dGeometry(2, 0, 1, 0, 1), null);
      }
      conv(b, type, x, c, 4, Conv2dGeometry.of(1, 1), null);
      conv(b, type, b.allocate(batch, h, w, 4), 4, c, Conv2dGeometry.of(1, 1), y);
      Tensor joined = b.allocate(batch, h, w, 2 * c);
      b.concatChannels(List.of(x, x), joined);
      conv(b, type, joined, 2 * c, c, Conv2dGeometry.of(1, 1), y);
      try (PreparedWeight norm = b.prepareNorm("n", zeros(type, c), zeros(type, c))) {
        b.groupNorm(x, norm, groups, 1e-5f, Activation.SILU, y);
        Tensor moments = b.allocate(DType.F32, Shape.of(batch, groups, 2));
        b.groupMoments(x, groups, moments);
        b.groupNormWith(x, moments, norm, groups, 1e-5f, Activation.SILU, y);
        b.layerNorm(tokens, norm, 1e-5f, out);
      }
      linear(b, type, b.allocate(batch, 4 * c), c, Activation.SILU, b.allocate(batch, c));
      linear(b, type, b.allocate(batch, c), 2 * c, Activation.NONE, b.allocate(batch, 2 * c));
      Tensor qkv = b.allocate(batch, rows, 3 * c);
      linear(b, type, tokens, 3 * c, Activation.NONE, qkv);
      b.attention(
          qkv.slice(2, 0, c),
          qkv.slice(2, c, 2 * c),
          qkv.slice(2, 2 * c, 3 * c),
          heads,
          0.1f,
          false,
          out);
      Tensor kv = b.allocate(batch, 77, 2 * c);
      linear(b, type, b.allocate(batch, 77, text), 2 * c, Activation.NONE, kv);
      b.attention(
          qkv.slice(2, 0, c), kv.slice(2, 0, c), kv.slice(2, c, 2 * c), heads, 0.1f, false, out);
      linear(
          b,
          type,
          b.allocate(batch, 77, c),
          4 * c,
          Activation.QUICK_GELU,
          b.allocate(batch, 77, 4 * c));
      try (PreparedWeight g =
          b.prepareLinear(
              "g", List.of(zeros(type, 8 * c, c)), List.of(zeros(type, 8 * c)), 4 * c)) {
        Tensor hidden = b.allocate(batch, rows, 4 * c);
        b.geglu(tokens, g, hidden);
        linear(b, type, hidden, c, Activation.NONE, out);
      }
    }
  }

  private void conv(
      OneDnnBackend b, DType type, Tensor x, int in, int out, Conv2dGeometry g, Tensor y) {
    try (PreparedWeight w = b.prepareConv2d("c", zeros(type, out, in, 3, 3), zeros(type, out))) {
      Tensor to =
          y == null
              ? b.allocate(x.size(0), g.outHeight(x.size(1), 3), g.outWidth(x.size(2), 3), out)
              : y;
      b.conv2d(x, w, g, null, null, to);
      b.conv2d(x, w, g, b.allocate(x.size(0), out), b.allocate(b.dtype(), to.shape()), to);
    }
  }

  private void linear(OneDnnBackend b, DType type, Tensor x, int out, Activation a, Tensor y) {
    try (PreparedWeight w =
        b.prepareLinear("l", List.of(zeros(type, out, x.size(-1))), List.of(zeros(type, out)))) {
      b.linear(x, w, a, null, y);
      b.linear(x, w, a, y, y);
    }
  }

  private static WeightTensor zeros(DType type, long... dims) {
    Shape s = Shape.of(dims);
    ByteBuffer data = ByteBuffer.allocateDirect((int) s.elements() * type.bytes());
    return new WeightTensor("w", "test", type, s, data);
  }
}
