package io.github.distrifuser.models;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.WeightsException;
import java.util.List;

/** Checks that the models' configurations share. Errors name the file and the key. */
public final class ConfigChecks {
  private ConfigChecks() {}

  /** An error about a key. */
  public static WeightsException error(ModelConfig c, String key, String problem) {
    return new WeightsException(c.source(), key + ": " + problem);
  }

  /** Channels must divide evenly, into groups or heads. */
  public static void divides(ModelConfig c, String key, int parts, int channels) {
    if (parts < 1 || channels < 1 || channels % parts != 0) {
      throw error(c, key, channels + " channels do not divide into " + parts);
    }
  }

  /** All of a list must be one class of blocks, one a level. */
  public static void onlyBlocks(ModelConfig c, String key, String type, int levels) {
    List<String> found = c.getStrings(key);
    if (found.size() != levels) {
      throw error(
          c, key, "expected " + levels + " blocks as in block_out_channels, found " + found);
    }
    for (String s : found) {
      if (!s.equals(type)) {
        throw error(c, key, "unknown block type '" + s + "': only " + type + " is supported");
      }
    }
  }

  /** The activation under a key. */
  public static Activation activation(ModelConfig c, String key, String otherwise) {
    String name = c.getString(key, otherwise);
    return switch (name) {
      case "silu", "swish" -> Activation.SILU;
      case "gelu" -> Activation.GELU;
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
      case "quick_gelu" -> Activation.QUICK_GELU;
      case "relu" -> Activation.RELU;
      default ->
          throw error(
              c,
              key,
              "unknown activation '"
                  + name
                  + "': choose from silu, swish, gelu, gelu_new, gelu_pytorch_tanh, quick_gelu,"
                  + " relu");
    };
  }
}
