package io.github.distrifuser.html;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A page of pictures side by side that works from a file: no scripts, nothing fetched from
 * elsewhere, pictures by addresses relative to the page and loaded as they come into view.
 */
public final class Gallery {
  private static final String STYLE =
      """
      body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff; }
      table { border-collapse: collapse; }
      th { position: sticky; top: 0; background: #fff; text-align: left; padding: .4rem; }
      td { vertical-align: top; padding: .4rem; border-top: 1px solid #ddd; }
      td.caption { width: 16rem; overflow-wrap: anywhere; }
      td.caption b { display: block; color: #888; font-weight: normal; }
      img { display: block; background: #eee; height: auto; }
      .none { color: #888; }
      """;

  private final Path page;
  private final int width;
  private final StringBuilder html = new StringBuilder();

  /**
   * Starts a page.
   *
   * @param page the file that it will be written to
   * @param width of the pictures, in pixels
   * @param columns their headings
   */
  public Gallery(String title, Path page, int width, List<String> columns) {
    this.page = page.toAbsolutePath().normalize();
    this.width = width;
    html.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .append("<title>")
        .append(escaped(title))
        .append("</title>\n<style>\n")
        .append(STYLE)
        .append("</style>\n</head>\n<body>\n<h1>")
        .append(escaped(title))
        .append("</h1>\n<table>\n<thead><tr><th>Caption</th>");
    columns.forEach(c -> html.append("<th>").append(escaped(c)).append("</th>"));
    html.append("</tr></thead>\n<tbody>\n");
  }

  /**
   * Adds a row.
   *
   * @param files one a column; null where there is none
   */
  public void row(String name, String caption, @Nullable Path[] files) {
    html.append("<tr><td class=\"caption\"><b>")
        .append(escaped(name))
        .append("</b>")
        .append(escaped(caption))
        .append("</td>");
    for (Path file : files) {
      if (file == null) {
        html.append("<td class=\"none\">none</td>");
        continue;
      }
      String address = escaped(address(file));
      html.append("<td><a href=\"")
          .append(address)
          .append("\"><img loading=\"lazy\" width=\"")
          .append(width)
          .append("\" height=\"")
          .append(width)
          .append("\" src=\"")
          .append(address)
          .append("\" alt=\"")
          .append(escaped(caption.isEmpty() ? name : caption))
          .append("\"></a></td>");
    }
    html.append("</tr>\n");
  }

  /** The whole page. */
  public String html() {
    return html + "</tbody>\n</table>\n</body>\n</html>\n";
  }

  /** Relative to the page where both lie below one root, percent-encoded. */
  private String address(Path file) {
    Path absolute = file.toAbsolutePath().normalize();
    Path folder = page.getParent();
    if (folder == null || !Objects.equals(folder.getRoot(), absolute.getRoot())) {
      return absolute.toUri().toString();
    }
    StringBuilder address = new StringBuilder();
    for (Path part : folder.relativize(absolute)) {
      address.append(address.isEmpty() ? "" : "/").append(encoded(part.toString()));
    }
    return address.toString();
  }

  private static String encoded(String name) {
    // URLEncoder makes a form's data of it, where only the space is written otherwise.
    return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** Text as HTML, in elements and in quoted attributes. */
  static String escaped(String text) {
    StringBuilder b = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> b.append("&amp;");
        case '<' -> b.append("&lt;");
        case '>' -> b.append("&gt;");
        case '"' -> b.append("&quot;");
        case '\'' -> b.append("&#39;");
        default -> b.append(c);
      }
    }
    return b.toString();
  }
}
