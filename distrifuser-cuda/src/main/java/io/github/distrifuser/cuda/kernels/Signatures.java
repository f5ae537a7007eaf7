package io.github.distrifuser.cuda.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads kernels and their arguments from a source, so that they are written down once. */
final class Signatures {
  /** {@code KERNEL(name, threads, (arguments))} at the start of a line. */
  private static final Pattern KERNEL =
      Pattern.compile(
          "^(BLOCK_)?KERNEL\\(\\s*(\\w+)\\s*,\\s*(\\d+)\\s*,\\s*\\(([^)]*)\\)\\s*\\)",
          Pattern.MULTILINE);

  private static final Pattern ARGUMENT =
      Pattern.compile("(NULLABLE )?(?:(const )?(\\w+)\\*|([a-z ]+)) (\\w+)");

  private Signatures() {}

  static List<Kernel> of(KernelSource source) {
    List<Kernel> kernels = new ArrayList<>();
    Matcher m = KERNEL.matcher(KernelSource.resource(source.file() + ".cu"));
    while (m.find()) {
      kernels.add(
          new Kernel(
              m.group(2) + source.suffix(),
              source,
              Integer.parseInt(m.group(3)),
              m.group(1) != null,
              arguments(m.group(2), m.group(4))));
    }
    return kernels;
  }

  private static List<KernelArgument> arguments(String kernel, String text) {
    List<KernelArgument> arguments = new ArrayList<>();
    for (String part : text.trim().replaceAll("\\s+", " ").split(", ?")) {
      Matcher m = ARGUMENT.matcher(part);
      if (!m.matches()) {
        throw new IllegalStateException(kernel + ": argument '" + part + "' is of no known form");
      }
      arguments.add(argument(kernel, m));
    }
    return arguments;
  }

  private static KernelArgument argument(String kernel, Matcher m) {
    @Nullable String pointee = m.group(3);
    boolean nullable = m.group(1) != null;
    if (pointee != null) {
      boolean written = m.group(2) == null;
      return new KernelArgument(m.group(5), ArgumentKind.POINTER, pointee, written, nullable);
    }
    ArgumentKind kind =
        switch (m.group(4)) {
          case "int" -> ArgumentKind.I32;
          case "long long" -> ArgumentKind.I64;
          case "unsigned long long" -> ArgumentKind.U64;
          case "float" -> ArgumentKind.F32;
          default ->
              throw new IllegalStateException(
                  kernel + ": argument " + m.group(5) + " of type '" + m.group(4) + "'");
        };
    return new KernelArgument(m.group(5), kind, null, false, nullable);
  }
}
