package io.github.distrifuser.plan;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightGenerator;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;

/** Weights of any shape that all lie in the same zeros, to be looked at and not read. */
final class ShapeWeights implements WeightGenerator {
  private static final DType TYPE = DType.F16;

  private ByteBuffer zeros = ByteBuffer.allocate(0);

  static StateDict dict() {
    return StateDict.generated("shapes", new ShapeWeights());
  }

  @Override
  public synchronized WeightTensor make(String source, String name, Shape shape) {
    int bytes = Math.toIntExact(Math.multiplyExact(shape.elements(), (long) TYPE.bytes()));
    if (zeros.capacity() < bytes) {
      zeros = ByteBuffer.allocate(bytes);
    }
    return new WeightTensor(name, source, TYPE, shape, zeros.slice(0, bytes));
  }
}
