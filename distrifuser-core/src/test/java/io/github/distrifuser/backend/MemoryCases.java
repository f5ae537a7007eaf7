package io.github.distrifuser.backend;

import static io.github.distrifuser.backend.Layout.DENSE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.OperatorRig.Pair;
import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Allocation, copies and lifetimes. */
public interface MemoryCases extends OperatorCases {

  private static float rounded(DType dtype, float f) {
    return switch (dtype) {
      case F16 -> HalfFloats.f16ToFloat(HalfFloats.floatToF16(f));
      case BF16 -> HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(f));
      default -> f;
    };
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  default void whatIsWrittenIsRead(DType dtype) {
    Shape shape = Shape.of(2, 5, 7);
    float[] values = rig().randoms(70 + 3, 1, 0);
    values[5] = Float.POSITIVE_INFINITY;
    values[6] = 1e-30f;
    for (Layout layout : Layout.values()) {
      Tensor outer = rig().own(rig().tested.allocate(dtype, layout.around(shape)));
      Tensor t = layout.within(outer, shape);
      rig().tested.write(values, 3, t);
      float[] back = new float[72];
      rig().tested.read(t, back, 2);
      for (int i = 0; i < 70; i++) {
        assertEquals(rounded(dtype, values[3 + i]), back[2 + i], layout + " index " + i);
      }
      assertEquals(0, back[0]);
      assertEquals(0, back[1]);
    }
  }

  @Test
  default void copiesConvertBetweenTypesAndLayouts() {
    List<DType> types = List.of(DType.F32, DType.F16, DType.BF16);
    Shape shape = Shape.of(2, 3, 7);
    float[] values = rig().randoms(42, 1, 0);
    for (DType from : types) {
      for (DType to : types) {
        for (Layout layout : Layout.values()) {
          Tensor source = rig().own(rig().tested.allocate(from, Layout.GAPPED.around(shape)));
          Tensor target = rig().own(rig().tested.allocate(to, layout.around(shape)));
          Tensor s = Layout.GAPPED.within(source, shape);
          Tensor t = layout.within(target, shape);
          rig().tested.fill(target, OperatorRig.STALE);
          rig().tested.write(values, 0, s);
          rig().tested.copy(s, t);
          float[] expected = new float[42];
          float sum = 0;
          for (int i = 0; i < 42; i++) {
            expected[i] = rounded(to, rounded(from, values[i]));
            sum += expected[i];
          }
          assertArrayEquals(expected, rig().tested.toFloats(t), from + " to " + to + " " + layout);
          float all = 0;
          for (float f : rig().tested.toFloats(target)) {
            all += f;
          }
          long gaps = target.shape().elements() - 42;
          assertEquals(sum + gaps * OperatorRig.STALE, all, 0.05, "gaps stay as they were");
        }
      }
    }
  }

  @Test
  default void fillSetsAViewAndNothingElse() {
    for (Layout layout : Layout.values()) {
      Pair p = rig().output(layout, 2, 3, 5);
      rig().tested.fill(p.tested(), -2.5f);
      rig().reference.fill(p.expected(), -2.5f);
      rig().check(p, layout);
    }
  }

  @Test
  default void liveMemoryIsCounted() {
    Backend b = rig().tested;
    MemoryStats before = b.memory();
    Tensor one = b.allocate(DType.F32, Shape.of(100, 10));
    Tensor two = b.allocate(DType.F16, Shape.of(50));
    assertEquals(before.liveTensors() + 2, b.memory().liveTensors());
    assertEquals(before.liveBytes() + 4100, b.memory().liveBytes());
    one.slice(0, 0, 5).close(); // a view owns nothing
    assertEquals(before.liveTensors() + 2, b.memory().liveTensors());
    one.close();
    one.close();
    assertEquals(before.liveTensors() + 1, b.memory().liveTensors());
    assertEquals(before.liveBytes() + 100, b.memory().liveBytes());
    two.close();
    assertEquals(before.liveBytes(), b.memory().liveBytes());
    assertTrue(b.memory().peakBytes() >= before.liveBytes() + 4100);
  }

  @Test
  default void freedMemoryServesTheNextAllocationOfItsSize() {
    Backend b = rig().tested;
    b.allocate(DType.F32, Shape.of(300, 400)).close();
    long reserved = b.memory().reservedBytes();
    assertTrue(reserved >= 480_000, "reserved " + reserved);
    for (int i = 0; i < 5; i++) {
      b.allocate(DType.F32, Shape.of(400, 300)).close();
      assertEquals(reserved, b.memory().reservedBytes());
    }
    b.trim();
    assertTrue(
        b.memory().reservedBytes() <= reserved - 480_000,
        "reserved after trim " + b.memory().reservedBytes());
  }

  @Test
  default void closedTensorsThrow() {
    Backend b = rig().tested;
    Tensor closed = b.allocate(2, 3);
    Tensor view = closed.slice(0, 0, 1);
    closed.close();
    Tensor open = rig().own(b.allocate(2, 3));
    assertTrue(closed.storage().isClosed());
    assertThrows(IllegalStateException.class, () -> b.read(closed, new float[6], 0));
    assertThrows(IllegalStateException.class, () -> b.write(new float[6], 0, closed));
    assertThrows(IllegalStateException.class, () -> b.fill(view, 1));
    assertThrows(IllegalStateException.class, () -> b.copy(closed, open));
    assertThrows(IllegalStateException.class, () -> b.scale(closed, 2, open));
    assertThrows(IllegalStateException.class, () -> b.scale(open, 2, closed));
    Weights w = rig().linear(3, 3);
    assertThrows(
        IllegalStateException.class,
        () -> b.linear(open, w.tested(), Activation.NONE, null, closed));
  }

  @Test
  default void closedWeightsThrow() {
    Backend b = rig().tested;
    Weights w = rig().linear(3, 3);
    Pair x = rig().input(DENSE, 2, 3);
    Pair out = rig().output(DENSE, 2, 3);
    assertTrue(w.tested().bytes() > 0);
    w.tested().close();
    w.tested().close();
    assertThrows(
        IllegalStateException.class,
        () -> b.linear(x.tested(), w.tested(), Activation.NONE, null, out.tested()));
  }

  @Test
  default void closingABackendFreesItsTensors() {
    Backend b = open();
    Tensor forgotten = b.allocate(7, 3);
    b.fill(forgotten, 1);
    b.close();
    b.close();
    assertTrue(forgotten.storage().isClosed());
    assertEquals(0, b.memory().liveTensors());
    assertEquals(0, b.memory().liveBytes());
    assertThrows(IllegalStateException.class, () -> b.allocate(1));
    forgotten.close();
  }

  @Test
  default void weightsServeOtherBackendsOfTheirKind() {
    Weights w = rig().linear(5, 4);
    Pair x = rig().input(DENSE, 3, 5);
    Pair out = rig().output(DENSE, 3, 4);
    rig().reference.linear(x.expected(), w.expected(), Activation.NONE, null, out.expected());
    try (Backend other = open()) {
      Tensor there = other.allocate(3, 5);
      other.write(rig().tested.toFloats(x.tested()), 0, there);
      Tensor result = other.allocate(3, 4);
      other.linear(there, w.tested(), Activation.NONE, null, result);
      rig().tested.write(other.toFloats(result), 0, out.tested());
      rig().check(out, "elsewhere");
    }
  }

  @Test
  default void aBackendTellsWhatItIs() {
    Backend b = rig().tested;
    assertFalse(b.name().isBlank());
    assertTrue(b.dtype().isFloat());
    assertTrue(b.threads() >= 1);
    b.synchronize();
  }
}
