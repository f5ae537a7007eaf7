package io.github.distrifuser.pipelines;

import io.github.distrifuser.hub.Hub;
import io.github.distrifuser.hub.HubId;
import io.github.distrifuser.hub.HubSettings;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.vae.AutoencoderKLConfig;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.StateDict;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where a model comes from: a folder as diffusers saves it, the hub, the small model inside this
 * library, or a full-size architecture with random weights.
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
   * Resolves a name; models of the hub are downloaded where the cache lacks them.
   *
   * @param name a folder, a model of the hub ({@code org/name} or {@code org/name@revision}),
   *     {@code landscapes}, {@code random:sdxl} or {@code random:sd15}
   * @throws IllegalArgumentException where it is none of them
   * @throws io.github.distrifuser.hub.HubException where the hub's model cannot be had
   */
  public static ModelSource resolve(String name, LoadOptions options) {
    long seed = options.seed();
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
    if (HubId.looksLikeOne(name)) {
      return new ModelSource(name, ModelFolder.of(download(name, options)), false, seed);
    }
    throw new IllegalArgumentException(
        "model " + name + ": no such folder, nor a model of the hub (org/name)");
  }

  private static Path download(String name, LoadOptions options) {
    HubId id = HubId.parse(name);
    String revision = options.hub().revision();
    if (revision != null) {
      if (name.contains("@") && !revision.equals(id.revision())) {
        throw new IllegalArgumentException(
            "model " + name + ": another revision is asked for as well: " + revision);
      }
      id = new HubId(id.repo(), revision);
    }
    return Hub.snapshot(id, options.variant(), HubSettings.of(options.hub()), options.progress());
  }

  /** As it was asked for. */
  public String name() {
    return name;
  }

  /** True where weights are random and there are no text encoders. */
  public boolean isRandom() {
    return random;
  }

  /**
   * The UNet's configuration.
   *
   * @throws io.github.distrifuser.weights.WeightsException naming the file and the key that is
   *     wrong
   */
  public UNetConfig unetConfig() {
    return UNetConfig.of(config("unet/config.json"));
  }

  /** How many times smaller latents are than pictures. */
  public int latentFactor() {
    return AutoencoderKLConfig.of(config("vae/config.json")).downFactor();
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
