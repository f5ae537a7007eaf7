package io.github.distrifuser.pipelines;

import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.StateDict;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where a model comes from: a folder as diffusers saves it, the small model inside this library, or
 * a full-size architecture with random weights.
 */
public final class ModelSource {
  /** Name of the small model that comes with the library. */
  public static final String DEFAULT = "landscapes";

  private static final String RESOURCES = "io/github/distrifuser/pipelines/";

  private final String name;
  private final ModelFolder folder;
  private final boolean random;
  private final long seed;

  private ModelSource(String name, ModelFolder folder, boolean random, long seed) {
    this.name = name;
    this.folder = folder;
    this.random = random;
    this.seed = seed;
  }

  /**
   * Resolves a name.
   *
   * @param name a folder, {@code landscapes}, {@code random:sdxl} or {@code random:sd15}
   * @param seed what seeds random weights
   * @throws IllegalArgumentException where it is none of them
   */
  public static ModelSource resolve(String name, long seed) {
    if (name.startsWith("random:")) {
      String architecture = name.substring("random:".length());
      if (!architecture.equals("sdxl") && !architecture.equals("sd15")) {
        throw new IllegalArgumentException(
            "unknown model '" + name + "': choose from random:sdxl, random:sd15");
      }
      return new ModelSource(
          name,
          ModelFolder.ofResources(ModelSource.class, RESOURCES + "architectures/" + architecture),
          true,
          seed);
    }
    if (Files.isDirectory(Path.of(name))) {
      return new ModelSource(name, ModelFolder.of(Path.of(name)), false, seed);
    }
    if (name.equals(DEFAULT)) {
      return new ModelSource(
          name, ModelFolder.ofResources(ModelSource.class, RESOURCES + DEFAULT), false, seed);
    }
    throw new IllegalArgumentException("model " + name + ": no such folder");
  }

  /** As it was asked for. */
  public String name() {
    return name;
  }

  /** True where weights are random and there are no text encoders. */
  public boolean isRandom() {
    return random;
  }

  ModelFolder folder() {
    return folder;
  }

  ModelConfig config(String relative) {
    return folder.readConfig(relative);
  }

  StateDict weights(String component, String baseName, @Nullable String variant) {
    return random
        ? StateDict.random(name + "/" + component, seed)
        : folder.openStateDict(component, baseName, variant);
  }
}
