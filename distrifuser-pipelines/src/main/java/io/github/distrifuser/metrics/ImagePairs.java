package io.github.distrifuser.metrics;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.image.ImageException;
import io.github.distrifuser.image.ImageFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The pictures of two folders, paired by their names without suffix: {@code 0001.jpg} belongs to
 * {@code 0001.png}.
 */
public final class ImagePairs {
  /** Two pictures to compare. */
  public record Pair(String name, Path first, Path second) {}

  /** Two pictures of the same size. */
  public record Images(Pair pair, GeneratedImage first, GeneratedImage second) {}

  /** Rows and columns that the original gives ground-truth pictures. */
  private static final int TRUTH_SIZE = 1024;

  private final List<Pair> pairs = new ArrayList<>();
  private final boolean firstIsTruth;

  /**
   * Pairs the pictures of two folders.
   *
   * @param firstIsTruth resize the first folder's pictures to 1024 x 1024, as the original does
   * @throws ImageException naming a picture without counterpart, two of one name, or a folder
   *     without pictures
   */
  public ImagePairs(Path first, Path second, boolean firstIsTruth) {
    this.firstIsTruth = firstIsTruth;
    Map<String, Path> a = byName(first);
    Map<String, Path> b = byName(second);
    a.forEach(
        (name, file) -> {
          Path other = b.remove(name);
          if (other == null) {
            throw new ImageException(file, "has no counterpart in " + second);
          }
          pairs.add(new Pair(name, file, other));
        });
    for (Path left : b.values()) {
      throw new ImageException(left, "has no counterpart in " + first);
    }
  }

  private static Map<String, Path> byName(Path folder) {
    Map<String, Path> all = new TreeMap<>();
    for (Path file : ImageFiles.list(folder)) {
      String name = file.getFileName().toString();
      Path other = all.put(name.substring(0, name.lastIndexOf('.')), file);
      if (other != null) {
        throw new ImageException(file, "has the same name as " + other.getFileName());
      }
    }
    if (all.isEmpty()) {
      throw new ImageException(folder, "holds no pictures (.png, .jpg)");
    }
    return all;
  }

  /** All pairs in the order of their names. */
  public List<Pair> pairs() {
    return List.copyOf(pairs);
  }

  /**
   * Reads a pair.
   *
   * @throws ImageException naming the file that cannot be read, or whose size differs
   */
  public Images read(Pair pair) {
    GeneratedImage first = ImageFiles.read(pair.first());
    GeneratedImage second = ImageFiles.read(pair.second());
    if (firstIsTruth) {
      first = Resampling.bilinear(first, TRUTH_SIZE, TRUTH_SIZE);
    }
    if (first.height() != second.height() || first.width() != second.width()) {
      throw new ImageException(
          pair.second(),
          "is of "
              + size(second)
              + ", "
              + pair.first()
              + (firstIsTruth ? " was resized to " : " is of ")
              + size(first));
    }
    return new Images(pair, first, second);
  }

  private static String size(GeneratedImage i) {
    return i.height() + " x " + i.width();
  }
}
