package io.github.distrifuser.launch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.coco.CaptionsFile;
import io.github.distrifuser.coco.CocoPicture;
import io.github.distrifuser.html.Gallery;
import io.github.distrifuser.image.ImageException;
import io.github.distrifuser.image.ImageFiles;
import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The original's export_html.py: folders of results side by side on one page. */
public final class ExportHtmlCommand {
  private final ExportHtmlOptions options;
  private final List<Path> folders;

  private ExportHtmlCommand(ExportHtmlOptions options) {
    this.options = options;
    this.folders = options.folders();
  }

  /**
   * Runs export_html.
   *
   * @return the exit status: 0 done, 2 the command line is wrong, 1 anything else
   */
  public static int run(String[] args) {
    return CommandLineTool.run(
        "export_html", new ExportHtmlOptions(), args, o -> new ExportHtmlCommand(o).run());
  }

  private void run() {
    folders.forEach(r -> Targets.folder("--input_roots", r));
    Targets.file("--output_path", options.outputPath);
    List<CocoPicture> captions = List.of();
    if (options.captions != null) {
      Targets.input("--captions", options.captions);
      captions = CaptionsFile.read(options.captions);
    }
    Map<String, @Nullable Path[]> rows = rows();
    Gallery page = new Gallery(options.title, options.outputPath, options.imageWidth, headings());
    int count = 0;
    for (Map.Entry<String, @Nullable Path[]> row : rows.entrySet()) {
      if (count++ == options.numImages) {
        break;
      }
      page.row(row.getKey(), caption(row.getKey(), row.getValue(), captions), row.getValue());
    }
    try {
      AtomicFiles.write(options.outputPath, page.html().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(options.outputPath + ": " + e.getMessage(), e);
    }
    System.out.printf(
        "%s: %d rows of %d columns%n",
        options.outputPath, Math.min(rows.size(), options.numImages), folders.size());
  }

  private List<String> headings() {
    return options.names.isEmpty() ? options.inputRoots : options.names;
  }

  /** The pictures of all folders by their names without suffix; null where a folder lacks one. */
  private Map<String, @Nullable Path[]> rows() {
    Map<String, @Nullable Path[]> rows = new TreeMap<>();
    for (int i = 0; i < folders.size(); i++) {
      for (Path file : ImageFiles.list(folders.get(i))) {
        String name = file.getFileName().toString();
        String stem = name.substring(0, name.lastIndexOf('.'));
        rows.computeIfAbsent(stem, k -> new @Nullable Path[folders.size()])[i] = file;
      }
    }
    if (rows.isEmpty()) {
      throw new ImageException(folders.get(0), "holds no pictures (.png, .jpg)");
    }
    return rows;
  }

  /** From the captions file by the picture's number, or else from a picture's own parameters. */
  private static String caption(String name, @Nullable Path[] files, List<CocoPicture> captions) {
    if (!captions.isEmpty()) {
      boolean numbered = name.matches("\\d{1,9}") && Integer.parseInt(name) < captions.size();
      return numbered ? captions.get(Integer.parseInt(name)).prompt(Integer.parseInt(name)) : "";
    }
    for (Path file : files) {
      if (file != null && file.toString().endsWith(".png")) {
        String prompt = prompt(file);
        if (!prompt.isEmpty()) {
          return prompt;
        }
      }
    }
    return "";
  }

  private static String prompt(Path file) {
    String parameters = ImageFiles.textOfWhole(file).getOrDefault("parameters", "{}");
    try {
      return new JsonMapper().readTree(parameters).path("prompt").asText("");
    } catch (JsonProcessingException e) {
      return ""; // another program's parameters
    }
  }
}
