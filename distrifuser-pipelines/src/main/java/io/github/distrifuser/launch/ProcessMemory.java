package io.github.distrifuser.launch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** How much memory this process has held at most. */
final class ProcessMemory {
  private static final Path STATUS = Path.of("/proc/self/status");

  private ProcessMemory() {}

  /** Peak resident set in bytes; 0 where the system doesn't tell (it does on Linux). */
  static long peakRssBytes() {
    if (!Files.isReadable(STATUS)) {
      return 0;
    }
    List<String> lines;
    try {
      lines = Files.readAllLines(STATUS);
    } catch (IOException e) {
      throw new IllegalStateException(STATUS + " cannot be read", e);
    }
    return lines.stream()
        .filter(l -> l.startsWith("VmHWM:"))
        .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElse(0);
  }
}
