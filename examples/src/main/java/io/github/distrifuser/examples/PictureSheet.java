package io.github.distrifuser.examples;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.image.ImageFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One picture of several folders' pictures, a folder a column, a name a row: the sheet of
 * docs/QUALITY.md.
 *
 * <p>Arguments: the sheet's file, the pictures' names separated by commas, and the folders.
 */
public final class PictureSheet {
  private PictureSheet() {}

  public static void main(String[] args) throws IOException {
    if (args.length < 3) {
      System.err.println("error: arguments: SHEET.png NAME,NAME,... FOLDER...");
      System.exit(2);
    }
    String[] names = args[1].split(",");
    List<List<GeneratedImage>> rows = new ArrayList<>();
    for (String name : names) {
      List<GeneratedImage> row = new ArrayList<>();
      for (int i = 2; i < args.length; i++) {
        row.add(ImageFiles.read(Path.of(args[i], name)));
      }
      rows.add(row);
    }
    sheet(rows).save(Path.of(args[0]));
  }

  private static GeneratedImage sheet(List<List<GeneratedImage>> rows) {
    GeneratedImage first = rows.get(0).get(0);
    int h = first.height();
    int w = first.width();
    int width = w * rows.get(0).size();
    byte[] rgb = new byte[3 * h * rows.size() * width];
    for (int r = 0; r < rows.size(); r++) {
      for (int c = 0; c < rows.get(r).size(); c++) {
        GeneratedImage picture = rows.get(r).get(c);
        if (picture.height() != h || picture.width() != w) {
          throw new IllegalArgumentException(
              "pictures of %d x %d and %d x %d pixels don't make a sheet"
                  .formatted(w, h, picture.width(), picture.height()));
        }
        byte[] from = picture.rgb();
        for (int y = 0; y < h; y++) {
          System.arraycopy(from, 3 * y * w, rgb, 3 * ((r * h + y) * width + c * w), 3 * w);
        }
      }
    }
    return new GeneratedImage(h * rows.size(), width, rgb);
  }
}
