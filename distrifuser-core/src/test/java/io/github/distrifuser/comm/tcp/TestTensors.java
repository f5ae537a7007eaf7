package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Runs;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Storage;
import io.github.distrifuser.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** F32 tensors outside the Java heap, as native backends have them. */
final class TestTensors {
  private TestTensors() {}

  private record Direct(ByteBuffer memory) implements Storage {
    @Override
    public long byteSize() {
      return memory.capacity();
    }

    @Override
    public long address() {
      throw new UnsupportedOperationException("nobody needs it here");
    }

    @Override
    public ByteBuffer buffer(long offset, int length) {
      return memory.slice((int) offset, length).order(ByteOrder.nativeOrder());
    }

    @Override
    public boolean isClosed() {
      return false;
    }

    @Override
    public void close() {}
  }

  /** As a GPU's: no host memory. */
  static final class Device implements Storage {
    @Override
    public long byteSize() {
      return 4;
    }

    @Override
    public long address() {
      return 1;
    }

    @Override
    public ByteBuffer buffer(long offset, int length) {
      throw new UnsupportedOperationException("device memory");
    }

    @Override
    public boolean isClosed() {
      return false;
    }

    @Override
    public void close() {}
  }

  static Tensor zeros(DType dtype, long... shape) {
    Shape s = Shape.of(shape);
    ByteBuffer memory = ByteBuffer.allocateDirect((int) s.elements() * dtype.bytes());
    return Tensor.owning(new Direct(memory), dtype, s);
  }

  static Tensor zeros(long... shape) {
    return zeros(DType.F32, shape);
  }

  /** Elements {@code first, first + 1, ...}. */
  static Tensor counting(float first, long... shape) {
    Tensor t = zeros(shape);
    fill(t, first);
    return t;
  }

  private static ByteBuffer run(Tensor t, Runs runs) {
    return t.storage().buffer(runs.next() * Float.BYTES, (int) runs.length() * Float.BYTES);
  }

  static void fill(Tensor t, float first) {
    float next = first;
    for (Runs runs = Runs.of(t); runs.hasNext(); ) {
      ByteBuffer b = run(t, runs);
      while (b.hasRemaining()) {
        b.putFloat(next++);
      }
    }
  }

  static float[] floats(Tensor t) {
    float[] all = new float[(int) t.shape().elements()];
    int at = 0;
    for (Runs runs = Runs.of(t); runs.hasNext(); ) {
      ByteBuffer b = run(t, runs);
      while (b.hasRemaining()) {
        all[at++] = b.getFloat();
      }
    }
    return all;
  }
}
