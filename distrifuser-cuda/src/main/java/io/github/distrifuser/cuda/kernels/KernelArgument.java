package io.github.distrifuser.cuda.kernels;

import org.jspecify.annotations.Nullable;

/**
 * One argument of a kernel.
 *
 * @param name as in the source
 * @param kind how it is passed
 * @param pointee type of a pointer's elements: T (the activations' type), float, double, int or
 *     void (any); null for numbers
 * @param written whether the kernel writes through the pointer
 * @param nullable whether the pointer may be null
 */
public record KernelArgument(
    String name, ArgumentKind kind, @Nullable String pointee, boolean written, boolean nullable) {

  @Override
  public String toString() {
    String type = pointee == null ? kind.toString() : (written ? "" : "const ") + pointee + "*";
    return type + " " + name + (nullable ? " or null" : "");
  }
}
