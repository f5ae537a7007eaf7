package io.github.distrifuser.backend.reference;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is particular to the reference backend, and its arithmetic by hand. */
class ReferenceBackendTest {
  private final Backend backend = new ReferenceBackend(BackendOptions.defaults());

  @AfterEach
  void close() {
    backend.close();
  }

  private Tensor tensor(Shape shape, float... values) {
    Tensor t = backend.allocate(DType.F32, shape);
    backend.write(values, 0, t);
    return t;
  }

  private static WeightTensor weight(Shape shape, float... values) {
    ByteBuffer data = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return new WeightTensor("m.weight", "memory", DType.F32, shape, data);
  }

  @Test
  void linearByHand() {
    PreparedWeight w =
        backend.prepareLinear(
            "m",
            List.of(weight(Shape.of(2, 3), 1, 2, 3, -1, 0, 1)),
            List.of(weight(Shape.of(2), 10, 20)));
    Tensor x = tensor(Shape.of(2, 3), 1, 1, 1, 0, 2, -1);
    Tensor out = backend.allocate(2, 2);
    backend.linear(x, w, Activation.NONE, null, out);
    assertAllClose(new float[] {16, 20, 11, 19}, backend.toFloats(out), 0, 0);
    backend.linear(x, w, Activation.RELU, tensor(Shape.of(2, 2), 1, 2, 3, 4), out);
    assertAllClose(new float[] {17, 22, 14, 23}, backend.toFloats(out), 0, 0);
  }

  @Test
  void convolutionByHand() {
    float[] ones = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    PreparedWeight w = backend.prepareConv2d("m", weight(Shape.of(1, 1, 3, 3), ones), null);
    Tensor x = tensor(Shape.of(1, 2, 3, 1), 1, 2, 3, 4, 5, 6);
    Tensor out = backend.allocate(1, 2, 3, 1);
    backend.conv2d(x, w, Conv2dGeometry.of(1, 1), null, null, out);
    assertAllClose(new float[] {12, 21, 16, 12, 21, 16}, backend.toFloats(out), 0, 0);
  }

  @Test
  void attentionByHand() {
    float ln3 = (float) Math.log(3); // weights 1/4 and 3/4
    Tensor q = tensor(Shape.of(1, 1, 1), ln3);
    Tensor k = tensor(Shape.of(1, 2, 1), 0, 2);
    Tensor v = tensor(Shape.of(1, 2, 1), 8, 16);
    Tensor out = backend.allocate(1, 1, 1);
    backend.attention(q, k, v, 1, 0.5f, false, out);
    assertAllClose(new float[] {14}, backend.toFloats(out), 1e-6, 0);
    backend.attention(q, k, v, 1, 0.5f, true, out);
    assertAllClose(new float[] {8}, backend.toFloats(out), 0, 0);
  }

  @Test
  void otherTypesAndDevicesAreRefused() {
    for (DType dtype : new DType[] {DType.F16, DType.BF16}) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> new ReferenceBackend(new BackendOptions(dtype, 0, 0)));
      assertTrue(e.getMessage().contains(dtype.name()), e.getMessage());
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new ReferenceBackend(new BackendOptions(DType.F32, 0, 1)));
  }

  @Test
  void memoryHasNoAddress() {
    assertThrows(UnsupportedOperationException.class, () -> backend.allocate(1).address());
  }

  @Test
  void tensorsAboveTwoGibibytesAreRefused() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1L << 20, 1L << 9, 1));
    assertTrue(e.getMessage().contains("F32[1048576, 512, 1]"), e.getMessage());
    assertTrue(e.getMessage().contains("2147483648"), e.getMessage());
    assertEquals(0, backend.memory().liveTensors());
  }

  @Test
  void newMemoryIsNotANumber() {
    Tensor t = tensor(Shape.of(4), 1, 2, 3, 4);
    t.close();
    for (float f : backend.toFloats(backend.allocate(4))) {
      assertTrue(Float.isNaN(f));
    }
  }

  @Test
  void weightsOfOtherKindsAreRefused() {
    PreparedWeight norm = backend.prepareNorm("n", weight(Shape.of(1), 1), weight(Shape.of(1), 0));
    Tensor x = tensor(Shape.of(1, 1), 1);
    Tensor out = backend.allocate(1, 1);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> backend.linear(x, norm, Activation.NONE, null, out));
    assertEquals("n: expected a weight prepared as LINEAR, found NORM", e.getMessage());
  }
}
