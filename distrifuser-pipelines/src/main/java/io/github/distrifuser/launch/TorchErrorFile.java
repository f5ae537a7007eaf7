package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Instant;

/**
 * Where torchrun looks for why a rank failed: it shows the message of the rank that failed first.
 */
final class TorchErrorFile {
  /** Set by torchrun, to another file for each rank. */
  private static final String VARIABLE = "TORCHELASTIC_ERROR_FILE";

  private TorchErrorFile() {}

  /** Writes the file, if the environment names one; where that fails, standard error says so. */
  static void write(Throwable cause, String message) {
    String file = System.getenv(VARIABLE);
    if (file == null || file.isBlank()) {
      return;
    }
    try {
      Files.write(Path.of(file), json(cause, message));
    } catch (IOException | InvalidPathException e) {
      System.err.println(VARIABLE + ": " + file + " cannot be written: " + e);
    }
  }

  /** As torch.distributed.elastic's ErrorHandler writes it. */
  static byte[] json(Throwable cause, String message) throws IOException {
    StringWriter trace = new StringWriter();
    cause.printStackTrace(new PrintWriter(trace));
    JsonMapper mapper = new JsonMapper();
    ObjectNode root = mapper.createObjectNode();
    root.putObject("message")
        .put("message", message)
        .putObject("extraInfo")
        .put("py_callstack", trace.toString())
        .put("timestamp", String.valueOf(Instant.now().getEpochSecond()));
    return mapper.writeValueAsBytes(root);
  }
}
