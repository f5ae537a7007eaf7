package io.github.distrifuser.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A Python with huggingface_hub: what {@code -Ddistrifuser.python} or DISTRIFUSER_PYTHON names,
 * else {@code python3}.
 */
final class PythonHub {
  private PythonHub() {}

  static String interpreter() {
    String property = System.getProperty("distrifuser.python");
    String variable = System.getenv("DISTRIFUSER_PYTHON");
    return property != null ? property : variable != null ? variable : "python3";
  }

  /** Skips the test, with a reason, where there is none. */
  static void assume() throws InterruptedException {
    boolean found;
    try {
      Process p =
          new ProcessBuilder(interpreter(), "-c", "import huggingface_hub, filelock")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      found = p.waitFor() == 0;
    } catch (IOException e) {
      found = false;
    }
    assumeTrue(
        found,
        interpreter()
            + " has no huggingface_hub: name one that has with DISTRIFUSER_PYTHON or"
            + " -Ddistrifuser.python");
  }

  /** Starts a script with a hub and a cache of its own. */
  static Process start(HubServer server, Path cache, String script, String... args)
      throws IOException {
    var command = new java.util.ArrayList<>(java.util.List.of(interpreter(), "-c", script));
    command.addAll(java.util.List.of(args));
    ProcessBuilder b = new ProcessBuilder(command);
    b.environment().keySet().removeIf(k -> k.startsWith("HF_") || k.startsWith("HUGGING"));
    b.environment()
        .putAll(
            Map.of(
                "HF_ENDPOINT",
                server.endpoint(),
                "HF_HUB_CACHE",
                cache.toString(),
                "HF_HOME",
                cache.resolveSibling("hf-home").toString(),
                "HF_HUB_DISABLE_TELEMETRY",
                "1",
                "HF_HUB_DISABLE_XET",
                "1",
                "NO_PROXY",
                "127.0.0.1,localhost"));
    b.redirectError(ProcessBuilder.Redirect.INHERIT);
    return b.start();
  }

  /** Runs a script to its end; returns what it prints. */
  static String run(HubServer server, Path cache, String script, String... args)
      throws IOException, InterruptedException {
    Process p = start(server, cache, script, args);
    String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(true, p.waitFor(60, TimeUnit.SECONDS), "it does not end");
    assertEquals(0, p.exitValue(), out);
    return out.strip();
  }
}
