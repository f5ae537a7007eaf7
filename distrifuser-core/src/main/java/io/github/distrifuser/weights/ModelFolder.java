package io.github.distrifuser.weights;

import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model's files in diffusers' layout: a folder on disk, or resources on the class path. Paths are
 * relative to its root, with slashes, and may not leave it.
 */
public final class ModelFolder {
  private static final Logger LOG = LoggerFactory.getLogger(ModelFolder.class);
  private static final Set<String> OTHER_FORMATS =
      Set.of(".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".onnx", ".gguf");

  private final String name;
  private final @Nullable Path directory;
  private final @Nullable Class<?> anchor;
  private final String root; // of resources: "/a/b/"

  private ModelFolder(
      String name, @Nullable Path directory, @Nullable Class<?> anchor, String root) {
    this.name = name;
    this.directory = directory;
    this.anchor = anchor;
    this.root = root;
  }

  /**
   * A folder on disk.
   *
   * @throws WeightsException if there is no such folder
   */
  public static ModelFolder of(Path directory) {
    if (!Files.isDirectory(directory)) {
      throw new WeightsException(
          directory.toString(),
          Files.exists(directory) ? "expected a folder, found a file" : "no such folder");
    }
    return new ModelFolder(directory.toString(), directory, null, "");
  }

  /**
   * Resources on the class path.
   *
   * @param anchor a class of the jar that holds them
   * @param root their folder from the class path's root, as in {@code io/github/example/model}
   */
  public static ModelFolder ofResources(Class<?> anchor, String root) {
    String r = root.startsWith("/") ? root : "/" + root;
    return new ModelFolder(
        "classpath:" + r.substring(1), null, anchor, r.endsWith("/") ? r : r + "/");
  }

  /** The folder's path, or {@code classpath:} and the resources' root. */
  public String name() {
    return name;
  }

  /** The folder on disk, or null for resources. */
  public @Nullable Path directory() {
    return directory;
  }

  /** True if there is such a file. */
  public boolean exists(String relative) {
    Path file = path(relative);
    return file != null ? Files.isRegularFile(file) : resource(relative) != null;
  }

  /**
   * A file's bytes.
   *
   * @throws WeightsException if it is missing or cannot be read
   */
  public byte[] readBytes(String relative) {
    Path file = path(relative);
    if (!exists(relative)) {
      throw new WeightsException(name, relative, "no such file");
    }
    try {
      if (file != null) {
        return Files.readAllBytes(file);
      }
      URL url = resource(relative);
      if (url == null) {
        throw new WeightsException(name, relative, "no such file");
      }
      try (InputStream in = url.openStream()) {
        return in.readAllBytes();
      }
    } catch (IOException e) {
      throw new WeightsException(name, relative, "cannot be read: " + e);
    }
  }

  /**
   * Copies a file out of here.
   *
   * @throws WeightsException if it is missing
   * @throws IOException if it cannot be read or written
   */
  public void copy(String relative, Path target) throws IOException {
    Path file = path(relative);
    if (file != null && exists(relative)) {
      Files.copy(file, target);
    } else {
      Files.write(target, readBytes(relative), StandardOpenOption.CREATE_NEW);
    }
  }

  /**
   * Reads a JSON file of settings.
   *
   * @param relative as in {@code unet/config.json}
   * @throws WeightsException if it is missing or malformed
   */
  public ModelConfig readConfig(String relative) {
    return ModelConfig.parse(relative, readBytes(relative));
  }

  /**
   * Opens one safetensors file: mapped where it is on disk, else read into direct memory.
   *
   * @throws WeightsException if it is missing or malformed
   */
  public SafetensorsFile openSafetensors(String relative) {
    Path file = path(relative);
    URL url = resource(relative);
    if (url != null && url.getProtocol().equals("file")) {
      try {
        file = Path.of(url.toURI());
      } catch (URISyntaxException e) {
        throw new WeightsException(name, relative, "cannot be read: " + e);
      }
    }
    if (file != null) {
      return SafetensorsFile.open(file, relative);
    }
    byte[] bytes = readBytes(relative);
    return SafetensorsFile.of(relative, ByteBuffer.allocateDirect(bytes.length).put(bytes).flip());
  }

  /**
   * Opens a component's weights, one file or several shards. With a variant, its files come first;
   * where there are none, the plain ones serve with a warning, as in diffusers.
   *
   * @param component sub-folder, as in {@code unet}; empty for the root
   * @param baseName {@code diffusion_pytorch_model}, or {@code model} for text encoders
   * @param variant as in {@code fp16}, or null
   * @throws WeightsException if there are no such weights, naming what was looked for; or if they
   *     are malformed
   */
  public StateDict openStateDict(String component, String baseName, @Nullable String variant) {
    return open(weightsFile(component, baseName, variant));
  }

  /**
   * Files that {@link #openStateDict} reads: one of weights, or an index and its shards.
   *
   * @return paths below this folder, the index first
   */
  public List<String> weightFiles(String component, String baseName, @Nullable String variant) {
    String file = weightsFile(component, baseName, variant);
    List<String> all = new ArrayList<>(List.of(file));
    if (!file.endsWith(".safetensors")) {
      String in = component.isEmpty() ? "" : component + "/";
      ShardIndex.parse(file, readBytes(file)).shards().forEach(s -> all.add(in + s));
    }
    return all;
  }

  /** The file of a component's weights, or its index. */
  private String weightsFile(String component, String baseName, @Nullable String variant) {
    String in = component.isEmpty() ? "" : component + "/";
    List<String> names = variant == null ? List.of() : variantNames(baseName, variant);
    for (String n : names) {
      if (exists(in + n)) {
        return in + n;
      }
    }
    List<String> plain = List.of(baseName + ".safetensors", baseName + ".safetensors.index.json");
    for (String n : plain) {
      if (exists(in + n)) {
        if (variant != null) {
          LOG.warn("{}: {}{}: no variant '{}', {} is used", name, in, baseName, variant, n);
        }
        return in + n;
      }
    }
    List<String> all = new ArrayList<>(names);
    all.addAll(plain);
    throw missing(component, baseName, all);
  }

  /** Spellings of diffusers and transformers, the present one before the older ones. */
  private static List<String> variantNames(String base, String variant) {
    return List.of(
        base + "." + variant + ".safetensors",
        base + ".safetensors.index." + variant + ".json",
        base + ".safetensors." + variant + ".index.json",
        base + "." + variant + ".safetensors.index.json");
  }

  private StateDict open(String file) {
    if (file.endsWith(".safetensors")) {
      return StateDict.of(openSafetensors(file));
    }
    String in = file.substring(0, file.lastIndexOf('/') + 1);
    ShardIndex index = ShardIndex.parse(file, readBytes(file));
    for (String shard : index.shards()) {
      if (!exists(in + shard)) {
        throw new WeightsException(
            file, "names the shard %s, which is not in %s".formatted(shard, name));
      }
    }
    return index.open(shard -> openSafetensors(in + shard));
  }

  private WeightsException missing(String component, String base, List<String> lookedFor) {
    String where = component.isEmpty() ? name : name + "/" + component;
    Set<String> found = list(component);
    if (found == null) {
      return new WeightsException(where, "no such folder");
    }
    StringBuilder hint = new StringBuilder();
    Set<String> others = new TreeSet<>(found);
    others.removeIf(f -> !f.startsWith(base + ".") || !f.endsWith(".safetensors"));
    Set<String> foreign = new TreeSet<>(found);
    foreign.removeIf(f -> OTHER_FORMATS.stream().noneMatch(f::endsWith));
    if (!others.isEmpty()) {
      hint.append("; found ").append(String.join(", ", others)).append(": another variant?");
    } else if (!foreign.isEmpty()) {
      hint.append("; found ")
          .append(String.join(", ", foreign))
          .append(", but only safetensors are read");
    }
    return new WeightsException(
        where, "no weights; looked for " + String.join(", ", lookedFor) + hint);
  }

  /** File names in a sub-folder: none for resources, null where there is no such folder. */
  private @Nullable Set<String> list(String component) {
    if (directory == null) {
      return Set.of();
    }
    Path folder = directory.resolve(component);
    if (!Files.isDirectory(folder)) {
      return null;
    }
    Set<String> out = new TreeSet<>();
    try (Stream<Path> files = Files.list(folder)) {
      files.forEach(f -> out.add(f.getFileName().toString()));
    } catch (IOException e) {
      throw new WeightsException(folder.toString(), "cannot be listed: " + e, e);
    }
    return out;
  }

  private @Nullable Path path(String relative) {
    for (String part : relative.split("[/\\\\]", -1)) {
      if (part.equals("..") || part.isEmpty()) {
        throw new WeightsException(name, relative, "expected a path below the folder");
      }
    }
    if (directory == null) {
      return null;
    }
    if (Path.of(relative).getRoot() != null) {
      throw new WeightsException(name, relative, "expected a path below the folder");
    }
    return directory.resolve(relative);
  }

  private @Nullable URL resource(String relative) {
    return anchor == null ? null : anchor.getResource(root + relative);
  }

  /** {@link #name()}. */
  @Override
  public String toString() {
    return name;
  }
}
