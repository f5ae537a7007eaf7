package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudnn.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.cuda.cudnn.cudnnBackendDescriptor_t;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * An operation graph of cuDNN 9 under construction, over its backend API. Tensors are numbered in
 * the order in which they are made, from 1. Everything made here is destroyed with it.
 */
final class CudnnGraph implements AutoCloseable {
  /** A descriptor of cuDNN's. */
  static final class Descriptor implements AutoCloseable {
    private final cudnnBackendDescriptor_t handle = new cudnnBackendDescriptor_t();
    private final String what;

    Descriptor(int type, String what) {
      this.what = what;
      CudaErrors.checkDnn(cudnnBackendCreateDescriptor(type, handle), "making of a " + what);
    }

    cudnnBackendDescriptor_t handle() {
      return handle;
    }

    private Descriptor set(int attribute, int type, long n, Pointer values) {
      CudaErrors.checkDnn(
          cudnnBackendSetAttribute(handle, attribute, type, n, values),
          "setting attribute " + attribute + " of a " + what);
      return this;
    }

    Descriptor longs(int attribute, long... values) {
      try (LongPointer p = new LongPointer(values)) {
        return set(attribute, CUDNN_TYPE_INT64, values.length, p);
      }
    }

    /** An enumeration of this type. */
    Descriptor choice(int attribute, int type, int value) {
      try (IntPointer p = new IntPointer(new int[] {value})) {
        return set(attribute, type, 1, p);
      }
    }

    Descriptor number(int attribute, float value) {
      try (FloatPointer p = new FloatPointer(new float[] {value})) {
        return set(attribute, CUDNN_TYPE_FLOAT, 1, p);
      }
    }

    Descriptor flag(int attribute) {
      try (BytePointer p = new BytePointer(new byte[] {1})) {
        return set(attribute, CUDNN_TYPE_BOOLEAN, 1, p);
      }
    }

    Descriptor text(int attribute, byte[] value) {
      try (BytePointer p = new BytePointer(value)) {
        return set(attribute, CUDNN_TYPE_CHAR, value.length, p);
      }
    }

    Descriptor pointers(int attribute, int type, Pointer... values) {
      try (PointerPointer<Pointer> p = new PointerPointer<>(values.length)) {
        for (int i = 0; i < values.length; i++) {
          p.put(i, values[i]);
        }
        return set(attribute, type, values.length, p);
      }
    }

    /** Addresses that lie in memory one after another. */
    Descriptor addresses(int attribute, long n, LongPointer values) {
      return set(attribute, CUDNN_TYPE_VOID_PTR, n, values);
    }

    Descriptor descriptors(int attribute, Descriptor... values) {
      return pointers(
          attribute,
          CUDNN_TYPE_BACKEND_DESCRIPTOR,
          Arrays.stream(values).map(Descriptor::handle).toArray(Pointer[]::new));
    }

    Descriptor complete() {
      CudaErrors.checkDnn(cudnnBackendFinalize(handle), "completing a " + what);
      return this;
    }

    /** How many values an attribute has, as far as asked for; values may be null. */
    long get(int attribute, int type, long room, Pointer values) {
      long[] n = new long[1];
      CudaErrors.checkDnn(
          cudnnBackendGetAttribute(handle, attribute, type, room, n, values),
          "getting attribute " + attribute + " of a " + what);
      return n[0];
    }

    long getLong(int attribute) {
      try (LongPointer p = new LongPointer(1)) {
        get(attribute, CUDNN_TYPE_INT64, 1, p);
        return p.get();
      }
    }

    @Override
    public void close() {
      if (!handle.isNull()) {
        cudnnBackendDestroyDescriptor(handle);
        handle.setNull();
      }
    }
  }

  private final List<Descriptor> owned = new ArrayList<>();
  private final List<Descriptor> operations = new ArrayList<>();
  private long tensors;

  private Descriptor own(Descriptor d) {
    owned.add(d);
    return d;
  }

  /**
   * A tensor in memory.
   *
   * @param type CUDNN_DATA_...
   * @param alignment of its address, in bytes
   */
  Descriptor tensor(int type, int alignment, long[] dims, long[] strides) {
    return begin(type, alignment, dims, strides).complete();
  }

  /** A result that only the graph sees, in floats. */
  Descriptor virtual(long[] dims, long[] strides) {
    return begin(CUDNN_DATA_FLOAT, 16, dims, strides).flag(CUDNN_ATTR_TENSOR_IS_VIRTUAL).complete();
  }

  /** One float that the host gives with each execution. */
  Descriptor scalar(int rank) {
    long[] ones = new long[rank];
    Arrays.fill(ones, 1);
    return begin(CUDNN_DATA_FLOAT, 4, ones, ones).flag(CUDNN_ATTR_TENSOR_IS_BY_VALUE).complete();
  }

  private Descriptor begin(int type, int alignment, long[] dims, long[] strides) {
    return own(new Descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor"))
        .choice(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type)
        .longs(CUDNN_ATTR_TENSOR_UNIQUE_ID, ++tensors)
        .longs(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment)
        .longs(CUDNN_ATTR_TENSOR_DIMENSIONS, dims)
        .longs(CUDNN_ATTR_TENSOR_STRIDES, strides);
  }

  /** Adds {@code y = conv(x, w)}, summed in floats; paddings and strides are of rows, columns. */
  void convolution(
      Descriptor x, Descriptor w, Descriptor y, long[] before, long[] after, long[] strides) {
    Descriptor c =
        own(new Descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution"))
            .choice(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
            .choice(
                CUDNN_ATTR_CONVOLUTION_CONV_MODE,
                CUDNN_TYPE_CONVOLUTION_MODE,
                CUDNN_CROSS_CORRELATION)
            .longs(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2)
            .longs(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, before)
            .longs(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, after)
            .longs(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, strides)
            .longs(CUDNN_ATTR_CONVOLUTION_DILATIONS, 1, 1)
            .complete();
    operations.add(
        own(new Descriptor(
                CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, "convolution operation"))
            .descriptors(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, c)
            .descriptors(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
            .descriptors(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
            .descriptors(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1)
            .number(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0)
            .complete());
  }

  /** Adds {@code y = x + b}, in floats; b is repeated where its size is 1. */
  void add(Descriptor x, Descriptor b, Descriptor y) {
    Descriptor p =
        own(new Descriptor(CUDNN_BACKEND_POINTWISE_DESCRIPTOR, "addition"))
            .choice(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, CUDNN_POINTWISE_ADD)
            .choice(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
            .complete();
    operations.add(
        own(new Descriptor(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "addition operation"))
            .descriptors(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, p)
            .descriptors(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x)
            .descriptors(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)
            .descriptors(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y)
            .complete());
  }

  /** Adds {@code out = softmax(q k^T * scale) v}; tensors are [batch, heads, length, width]. */
  void attention(Descriptor q, Descriptor k, Descriptor v, Descriptor scale, Descriptor out) {
    operations.add(
        own(new Descriptor(CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, "attention operation"))
            .descriptors(CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q)
            .descriptors(CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k)
            .descriptors(CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v)
            .descriptors(CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, out)
            .descriptors(CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale)
            .complete());
  }

  /** The graph of all operations, not complete yet. */
  Descriptor operationGraph() {
    return own(new Descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "graph"))
        .descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations.toArray(new Descriptor[0]));
  }

  @Override
  public void close() {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
    owned.clear();
  }
}
