package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_format_tag_any;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_clone;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_submemory;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_strides;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_tag;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_destroy;

import io.github.distrifuser.tensor.DType;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_memory_desc;

/** A oneDNN memory descriptor: type, dimensions and how they lie in memory. */
final class Md implements AutoCloseable {
  private final dnnl_memory_desc handle;

  private Md(dnnl_memory_desc handle) {
    this.handle = handle;
  }

  dnnl_memory_desc handle() {
    return handle;
  }

  /** Distances between neighbours are given in elements. */
  static Md strided(DType dtype, long[] dims, long[] strides) {
    dnnl_memory_desc md = new dnnl_memory_desc();
    OneDnn.check(
        dnnl_memory_desc_create_with_strides(md, dims.length, dims, OneDnn.type(dtype), strides),
        "describe " + dtype + Arrays.toString(dims) + " strides " + Arrays.toString(strides));
    return new Md(md);
  }

  /** Row-major without gaps. */
  static Md dense(DType dtype, long... dims) {
    long[] strides = new long[dims.length];
    long n = 1;
    for (int i = dims.length - 1; i >= 0; i--) {
      strides[i] = n;
      n *= dims[i];
    }
    return strided(dtype, dims, strides);
  }

  /** Named as oneDNN does, {@code [n, c, h, w]}, with the channels innermost in memory. */
  static Md nhwc(DType dtype, long n, long h, long w, long c) {
    return strided(dtype, new long[] {n, c, h, w}, new long[] {h * w * c, 1, w * c, c});
  }

  /** The layout is the primitive's to choose. */
  static Md any(DType dtype, long... dims) {
    dnnl_memory_desc md = new dnnl_memory_desc();
    OneDnn.check(
        dnnl_memory_desc_create_with_tag(
            md, dims.length, dims, OneDnn.type(dtype), dnnl_format_tag_any),
        "describe " + dtype + Arrays.toString(dims));
    return new Md(md);
  }

  /** The first elements along each dimension, in whole blocks, of what another describes. */
  static Md first(Md other, long... dims) {
    dnnl_memory_desc md = new dnnl_memory_desc();
    OneDnn.check(
        dnnl_memory_desc_create_submemory(md, other.handle, dims, new long[dims.length]),
        "describe a part " + Arrays.toString(dims));
    return new Md(md);
  }

  /** A copy of a descriptor that something else owns. */
  static Md copyOf(dnnl_memory_desc other) {
    dnnl_memory_desc md = new dnnl_memory_desc();
    OneDnn.check(dnnl_memory_desc_clone(md, other), "copy a memory descriptor");
    return new Md(md);
  }

  @Override
  public void close() {
    if (!handle.isNull()) {
      dnnl_memory_desc_destroy(handle);
      handle.setNull();
    }
  }
}
