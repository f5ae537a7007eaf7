package io.github.distrifuser.cuda.kernels;

import java.util.List;

/** Makes code for a device of a source. */
public interface KernelCompiler {

  /** Name and version, part of what a compiled kernel is known by: {@code nvrtc 13.1}. */
  String version();

  /** Options besides the architecture, part of what a compiled kernel is known by. */
  List<String> options();

  /**
   * Compiles.
   *
   * @param source a module
   * @param architecture as in {@code sm_90}
   * @return a cubin
   * @throws KernelCompilationException with the compiler's log
   */
  byte[] compile(KernelSource source, String architecture);
}
