package io.github.distrifuser.weights;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A single file of weights in whatever format it is: safetensors, or torch's own. */
public final class WeightFiles {
  private WeightFiles() {}

  /**
   * Opens a file; its content says what it is.
   *
   * @throws WeightsException naming the file where it cannot be read or is neither
   */
  public static StateDict open(Path file) {
    byte[] begin;
    try (InputStream in = Files.newInputStream(file)) {
      begin = in.readNBytes(4);
    } catch (IOException e) {
      throw new WeightsException(file.toString(), "cannot be read: " + e, e);
    }
    return TorchFile.isTorch(begin)
        ? TorchFile.read(file)
        : StateDict.of(SafetensorsFile.open(file));
  }
}
