package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_weights_md;

import org.bytedeco.dnnl.dnnl_primitive_desc;

/**
 * How a weight lies in memory, with oneDNN's description of it.
 *
 * @param md whoever makes this closes it
 */
record WeightLayout(BlockedLayout layout, Md md) {

  static WeightLayout of(Md md, int rank) {
    return new WeightLayout(BlockedLayout.of(md.handle(), rank), md);
  }

  /** What a primitive wants its weight to be like; frees the primitive's description. */
  static Md wanted(dnnl_primitive_desc desc) {
    try {
      return Md.copyOf(dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    } finally {
      dnnl_primitive_desc_destroy(desc);
    }
  }
}
