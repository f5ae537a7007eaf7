package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.coco.CaptionsFile;
import io.github.distrifuser.coco.CocoException;
import io.github.distrifuser.coco.CocoParquet;
import io.github.distrifuser.coco.CocoPicture;
import io.github.distrifuser.image.ImageException;
import io.github.distrifuser.image.ImageFiles;
import io.github.distrifuser.progress.ProgressLog;
import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * The original's dump_coco.py: COCO's ground-truth pictures as {@code images/0000.png} and so on,
 * and for each the caption that generate_coco draws, as prompts.json.
 */
public final class DumpCocoCommand {
  private final DumpCocoOptions options;
  private final Path images;
  private final List<String> prompts = new ArrayList<>();

  private DumpCocoCommand(DumpCocoOptions options) {
    this.options = options;
    this.images = options.outputRoot.resolve("images");
  }

  /**
   * Runs dump_coco.
   *
   * @return the exit status: 0 done, 2 the command line is wrong, 1 anything else
   */
  public static int run(String[] args) {
    return CommandLineTool.run(
        "dump_coco", new DumpCocoOptions(), args, o -> new DumpCocoCommand(o).run());
  }

  private void run() {
    try {
      if (options.parquet != null) {
        fromParquet(options.parquet);
      } else {
        fromFolder(
            Objects.requireNonNull(options.captions), Objects.requireNonNull(options.images));
      }
      byte[] json = new JsonMapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(prompts);
      AtomicFiles.write(options.outputRoot.resolve("prompts.json"), json);
    } catch (IOException e) {
      throw new UncheckedIOException(options.outputRoot + ": " + e.getMessage(), e);
    }
    System.out.printf("%s: %d images and prompts.json%n", options.outputRoot, prompts.size());
  }

  private void fromParquet(Path path) throws IOException {
    if (!Files.exists(path)) {
      Targets.input("--parquet", path);
    }
    List<Path> files = CocoParquet.files(path);
    Files.createDirectories(images);
    for (Path file : files) {
      boolean more =
          CocoParquet.read(
              file,
              (number, row) -> {
                if (prompts.size() == options.numImages) {
                  return false;
                }
                save(file.resolveSibling(file.getFileName() + ", row " + number), row.image());
                prompts.add(new CocoPicture("", row.captions()).prompt(prompts.size()));
                return true;
              });
      if (!more) {
        break;
      }
    }
  }

  private void fromFolder(Path captions, Path folder) throws IOException {
    Targets.input("--captions", captions);
    Targets.folder("--images", folder);
    List<CocoPicture> all = CaptionsFile.read(captions);
    Files.createDirectories(images);
    int count = Math.min(all.size(), options.numImages);
    try (ProgressLog log = ProgressLog.start("images", count)) {
      for (CocoPicture picture : all.subList(0, count)) {
        if (picture.file().isEmpty()) {
          throw new CocoException(captions + ": names no pictures");
        }
        Path file = find(folder, picture.file());
        save(file, Files.readAllBytes(file));
        prompts.add(picture.prompt(prompts.size()));
        log.step();
      }
    }
  }

  /** In the folder itself, or in that of its year. */
  private static Path find(Path folder, String name) {
    for (String sub : new String[] {"", "val2014"}) {
      Path file = folder.resolve(sub).resolve(name).normalize();
      if (file.startsWith(folder.normalize()) && Files.isRegularFile(file)) {
        return file;
      }
    }
    throw new ImageException(folder.resolve(name), "no such file");
  }

  /** Saves the next picture, unless it is there whole. */
  private void save(Path name, byte[] encoded) {
    Path file = images.resolve(String.format(Locale.ROOT, "%04d.png", prompts.size()));
    if (!isWhole(file)) {
      ImageFiles.decode(name, encoded).save(file);
    }
  }

  private static boolean isWhole(Path file) {
    if (!Files.exists(file)) {
      return false;
    }
    try {
      ImageFiles.textOfWhole(file);
      return true;
    } catch (ImageException e) {
      System.err.println("writing again: " + e.getMessage());
      return false;
    }
  }
}
