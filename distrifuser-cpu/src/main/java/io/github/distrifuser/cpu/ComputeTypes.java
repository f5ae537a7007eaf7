package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu_isa_avx512_core_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_get_effective_cpu_isa;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;

/** In which types this CPU computes at full speed. */
final class ComputeTypes {
  private ComputeTypes() {}

  /** Asked once: whether the CPU has instructions for bfloat16 and oneDNN uses them. */
  private static final class Bf16 {
    static final boolean FAST =
        OneDnn.unavailableReason() == null
            && (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16)
                == dnnl_cpu_isa_avx512_core_bf16
            && MatmulOps.isFast(DType.BF16, DType.BF16, 64, 64)
            && ConvOps.isFast(DType.BF16, Shape.of(64, 64, 3, 3));
  }

  /** The type to compute in where one was asked for: that one, or F32. */
  static DType of(DType wanted) {
    return wanted == DType.BF16 && Bf16.FAST ? wanted : DType.F32;
  }
}
