package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_exp;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_gelu_erf;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_gelu_tanh;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_linear;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_relu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_swish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_binary;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_eltwise;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_sum;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_post_ops;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scratchpad_mode;
import static org.bytedeco.dnnl.global.dnnl.dnnl_scratchpad_mode_user;

import io.github.distrifuser.backend.Activation;
import org.bytedeco.dnnl.dnnl_post_ops;
import org.bytedeco.dnnl.dnnl_primitive_attr;

/** A primitive's attributes: our scratchpad, and what is fused behind it. */
final class Attr implements AutoCloseable {
  /** Execution arguments of post-operation i are at {@code POST_OP * (i + 1)}, or-ed. */
  private static final int POST_OP = 32768;

  private final dnnl_primitive_attr handle = new dnnl_primitive_attr();
  private final dnnl_post_ops postOps = new dnnl_post_ops();
  private int length;

  Attr() {
    OneDnn.check(dnnl_primitive_attr_create(handle), "create attributes");
    OneDnn.check(
        dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user),
        "set the scratchpad mode");
    OneDnn.check(dnnl_post_ops_create(postOps), "create post-operations");
  }

  /** Execution argument of the second operand of binary post-operation {@code index}. */
  static int binaryArgument(int index) {
    return POST_OP * (index + 1) | org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
  }

  /** oneDNN's name for an activation other than NONE. */
  static int algorithm(Activation a) {
    return switch (a) {
      case SILU, QUICK_GELU -> dnnl_eltwise_swish;
      case GELU -> dnnl_eltwise_gelu_erf;
      case GELU_TANH -> dnnl_eltwise_gelu_tanh;
      case RELU -> dnnl_eltwise_relu;
      case NONE -> dnnl_eltwise_linear;
    };
  }

  /** The activation's first parameter. */
  static float alpha(Activation a) {
    return switch (a) {
      case SILU, NONE -> 1;
      case QUICK_GELU -> 1.702f;
      default -> 0;
    };
  }

  Attr activation(Activation a) {
    return a == Activation.NONE ? this : eltwise(algorithm(a), alpha(a), 0);
  }

  /** Multiplies by a constant. */
  Attr scale(float factor) {
    return factor == 1 ? this : eltwise(dnnl_eltwise_linear, factor, 0);
  }

  /** Takes the exponential. */
  Attr exp() {
    return eltwise(dnnl_eltwise_exp, 0, 0);
  }

  private Attr eltwise(int algorithm, float alpha, float beta) {
    OneDnn.check(
        dnnl_post_ops_append_eltwise(postOps, algorithm, alpha, beta), "append an activation");
    length++;
    return this;
  }

  /** Adds what the destination held before. */
  Attr sum() {
    OneDnn.check(dnnl_post_ops_append_sum(postOps, 1, 0, 0), "append a sum");
    length++;
    return this;
  }

  /** Combines with another tensor, whose execution argument this returns. */
  int binary(int algorithm, Md operand) {
    OneDnn.check(
        dnnl_post_ops_append_binary(postOps, algorithm, operand.handle()), "append a binary");
    return binaryArgument(length++);
  }

  dnnl_primitive_attr handle() {
    OneDnn.check(dnnl_primitive_attr_set_post_ops(handle, postOps), "set post-operations");
    return handle;
  }

  @Override
  public void close() {
    dnnl_post_ops_destroy(postOps);
    dnnl_primitive_attr_destroy(handle);
  }
}
