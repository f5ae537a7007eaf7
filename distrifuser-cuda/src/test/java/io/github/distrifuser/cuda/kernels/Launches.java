package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.cuda.NativeBuild;
import io.github.distrifuser.tensor.DType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Launches of kernels and what to hold their results to; runs them on both builds. */
final class Launches {
  private final ByteArrayOutputStream cases = new ByteArrayOutputStream();
  private final List<Memory> memory = new ArrayList<>();
  private final List<Runnable> checks = new ArrayList<>();
  private int count;

  /**
   * Adds a launch.
   *
   * @param name without the type's suffix
   * @param arguments numbers, {@link Memory}, or null for a null pointer; the same memory may serve
   *     several arguments
   */
  void launch(String name, @Nullable DType dtype, int grid, @Nullable Object... arguments) {
    Kernel kernel = KernelLibrary.get(name, dtype);
    assertEquals(kernel.arguments().size(), arguments.length, kernel + ": number of arguments");
    byte[] symbol = kernel.name().getBytes(StandardCharsets.UTF_8);
    number(symbol.length);
    cases.writeBytes(symbol);
    number(grid);
    number(arguments.length);
    for (int i = 0; i < arguments.length; i++) {
      int earlier = Arrays.asList(arguments).indexOf(arguments[i]);
      if (arguments[i] instanceof Memory && earlier < i) {
        number(3);
        number(earlier);
        number(0);
      } else {
        add(kernel, kernel.arguments().get(i), arguments[i]);
      }
    }
    count++;
  }

  private void add(Kernel kernel, KernelArgument argument, @Nullable Object value) {
    if (argument.kind() != ArgumentKind.POINTER) {
      number(0);
      number(0);
      byte[] bytes = bytes(kernel, argument, value);
      number(bytes.length);
      cases.writeBytes(bytes);
    } else if (value instanceof Memory m) {
      number(1);
      number(m.offset);
      number(m.before.length);
      cases.writeBytes(m.before);
      memory.add(m);
    } else if (value == null && argument.nullable()) {
      number(2);
      number(0);
      number(0);
    } else {
      throw new IllegalArgumentException(kernel + ": " + argument + ": given " + value);
    }
  }

  private static byte[] bytes(Kernel kernel, KernelArgument argument, @Nullable Object value) {
    ByteBuffer b = ByteBuffer.allocate(argument.kind().bytes()).order(ByteOrder.LITTLE_ENDIAN);
    if (argument.kind() == ArgumentKind.F32 && value instanceof Float f) {
      b.putFloat(f);
    } else if (argument.kind() == ArgumentKind.I32 && value instanceof Integer n) {
      b.putInt(n);
    } else if (b.capacity() == 8 && value instanceof Long n) {
      b.putLong(n);
    } else if (b.capacity() == 8 && value instanceof Integer n) {
      b.putLong(n);
    } else {
      throw new IllegalArgumentException(kernel + ": " + argument + ": given " + value);
    }
    return b.array();
  }

  private void number(int n) {
    cases.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(n).array());
  }

  /** Adds what is to hold after all launches have run. */
  void then(Runnable check) {
    checks.add(check);
  }

  /** Runs all launches, under the sanitizers and optimised, and checks each time. */
  void run() {
    for (boolean checked : new boolean[] {true, false}) {
      run(EmulatedKernels.runner(checked));
      checks.forEach(Runnable::run);
    }
  }

  private void run(Path runner) {
    try {
      Path in = Files.createTempFile("cases", ".bin");
      Path out = Files.createTempFile("results", ".bin");
      try {
        ByteBuffer head = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(count);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(head.array());
        all.writeBytes(cases.toByteArray());
        Files.write(in, all.toByteArray());
        NativeBuild.run(Map.of(), List.of(runner.toString(), in.toString(), out.toString()));
        read(ByteBuffer.wrap(Files.readAllBytes(out)).order(ByteOrder.LITTLE_ENDIAN));
      } finally {
        Files.delete(in);
        Files.delete(out);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void read(ByteBuffer results) {
    for (Memory m : memory) {
      byte[] content = new byte[results.getInt()];
      results.get(content);
      m.ran(content);
    }
    assertEquals(0, results.remaining(), "bytes left in the results");
  }
}
