package io.github.distrifuser.cuda;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.nio.FloatBuffer;

/** Copies between the host's floats and tensors, and among tensors, of any type and strides. */
final class Copies {
  private final CudaContext context;

  Copies(CudaContext context) {
    this.context = context;
  }

  void write(float[] source, int offset, Tensor target) {
    long n = target.shape().elements();
    boolean direct = target.dtype() == DType.F32 && target.isDense();
    if (direct) {
      send(source, offset, target.address(), n);
    } else {
      try (Tensor floats = temporary(DType.F32, target.shape())) {
        send(source, offset, floats.address(), n);
        copy(floats, target);
      }
    }
  }

  private void send(float[] source, int offset, long target, long n) {
    context
        .staging()
        .send(
            n * Float.BYTES,
            (from, to) ->
                to.asFloatBuffer()
                    .put(
                        source,
                        offset + Math.toIntExact(from / Float.BYTES),
                        to.remaining() / Float.BYTES),
            target,
            context.compute());
  }

  void read(Tensor source, float[] target, int offset) {
    if (source.dtype() == DType.F32 && source.isDense()) {
      fetch(source, target, offset);
    } else {
      try (Tensor floats = temporary(DType.F32, source.shape())) {
        copy(source, floats);
        fetch(floats, target, offset);
      }
    }
  }

  private void fetch(Tensor source, float[] target, int offset) {
    context
        .staging()
        .fetch(
            source.address(),
            source.byteSize(),
            (from, bytes) -> {
              FloatBuffer floats = bytes.asFloatBuffer();
              floats.get(target, offset + Math.toIntExact(from / Float.BYTES), floats.remaining());
            },
            context.compute());
  }

  /** Small integers to the device. */
  Tensor upload(int[] source) {
    Tensor t = temporary(DType.I32, Shape.of(source.length));
    context
        .staging()
        .send(
            t.byteSize(),
            (from, to) ->
                to.asIntBuffer()
                    .put(source, (int) from / Integer.BYTES, to.remaining() / Integer.BYTES),
            t.address(),
            context.compute());
    return t;
  }

  private Tensor temporary(DType dtype, Shape shape) {
    long bytes = Math.multiplyExact(shape.elements(), (long) dtype.bytes());
    return Tensor.owning(context.memory().allocate(bytes, "a copy of " + shape), dtype, shape);
  }

  void copy(Tensor source, Tensor target) {
    long n = source.shape().elements();
    if (n == 0) {
      return;
    }
    boolean same = source.dtype() == target.dtype();
    if (same && source.isDense() && target.isDense()) {
      context.compute().copy(source.address(), target.address(), source.byteSize());
      return;
    }
    if (same) {
      context
          .kernel("copyBytes", null)
          .pointer(source)
          .pointer(target)
          .i32(source.dtype().bytes())
          .i64(Strides.dims(source))
          .i64(Strides.of(source))
          .i64(Strides.of(target))
          .elements(context.compute(), n);
      return;
    }
    if (!source.dtype().isFloat() || !target.dtype().isFloat()) {
      throw new IllegalArgumentException("copy: cannot convert " + source + " to " + target);
    }
    context
        .kernel("copyStrided", target.dtype())
        .pointer(source)
        .i32(source.dtype().ordinal())
        .pointer(target)
        .i64(Strides.dims(source))
        .i64(Strides.of(source))
        .i64(Strides.of(target))
        .elements(context.compute(), n);
  }

  void fill(Tensor target, float value) {
    if (!target.dtype().isFloat()) {
      throw new IllegalArgumentException("fill: expected a floating-point type, found " + target);
    }
    context
        .kernel("fillStrided", target.dtype())
        .pointer(target)
        .f32(value)
        .i64(Strides.dims(target))
        .i64(Strides.of(target))
        .elements(context.compute(), target.shape().elements());
  }
}
