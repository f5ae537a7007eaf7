package io.github.distrifuser.cuda.kernels;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A kernel as it is launched. Every kernel takes any one-dimensional grid, blocks of exactly {@link
 * #threads()} threads and no dynamic shared memory.
 *
 * @param name symbol in the compiled module, as in {@code geglu_f16}
 * @param source where it is compiled from
 * @param threads of a block
 * @param cooperative whether its threads use shared memory, barriers or shuffles
 * @param arguments in order
 */
public record Kernel(
    String name,
    KernelSource source,
    int threads,
    boolean cooperative,
    List<KernelArgument> arguments) {

  public Kernel {
    arguments = List.copyOf(arguments);
    if (threads < 32 || threads > 1024 || threads % 32 != 0) {
      throw new IllegalArgumentException(name + ": blocks of " + threads + " threads");
    }
  }

  /** The kernel with its arguments, for messages. */
  @Override
  public String toString() {
    return arguments.stream()
        .map(KernelArgument::toString)
        .collect(Collectors.joining(", ", name + "(", ")"));
  }
}
