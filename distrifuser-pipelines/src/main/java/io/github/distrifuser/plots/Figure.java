package io.github.distrifuser.plots;

import de.erichseifert.vectorgraphics2d.VectorGraphics2D;
import de.erichseifert.vectorgraphics2d.svg.SVGProcessor;
import de.erichseifert.vectorgraphics2d.util.PageSize;
import io.github.distrifuser.weights.AtomicFiles;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Charts side by side in one file. */
public final class Figure {
  private static final int WIDTH = 560; // of one chart
  private static final int HEIGHT = 420;
  private static final int SCALE = 2; // pixels of a PNG for each
  private static final int TICKS = 8;

  /** Colours that people tell apart, whatever they see (Okabe and Ito). */
  private static final List<Color> COLOURS =
      List.of(
          new Color(0x0072b2),
          new Color(0xd55e00),
          new Color(0x009e73),
          new Color(0xcc79a7),
          new Color(0xe69f00),
          new Color(0x56b4e9),
          new Color(0x000000));

  private Figure() {}

  /** What the file's name asks for. */
  private enum Format {
    PNG,
    SVG
  }

  private static Format format(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    for (Format f : Format.values()) {
      if (name.endsWith("." + f.name().toLowerCase(Locale.ROOT))) {
        return f;
      }
    }
    throw new IllegalArgumentException(file + ": the name of a plot ends in .png or .svg");
  }

  /**
   * Tells a name that {@link #write} would refuse.
   *
   * @throws IllegalArgumentException where it ends in neither .png nor .svg
   */
  public static void check(Path file) {
    format(file);
  }

  /**
   * Draws charts from left to right and writes the file at once.
   *
   * @param file ends in .png or .svg
   * @throws UncheckedIOException naming the file where it cannot be written
   */
  public static void write(Path file, List<Panel> panels) {
    Format format = format(file);
    try {
      byte[] bytes = format == Format.PNG ? png(panels) : svg(panels);
      AtomicFiles.write(file, bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + e.getMessage(), e);
    }
  }

  private static byte[] png(List<Panel> panels) throws IOException {
    BufferedImage image =
        new BufferedImage(
            SCALE * WIDTH * panels.size(), SCALE * HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D g = image.createGraphics();
    g.scale(SCALE, SCALE);
    paint(panels, g);
    g.dispose();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }

  private static byte[] svg(List<Panel> panels) throws IOException {
    VectorGraphics2D g = new VectorGraphics2D();
    paint(panels, g);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    new SVGProcessor()
        .getDocument(g.getCommands(), new PageSize(0, 0, WIDTH * panels.size(), HEIGHT))
        .writeTo(out);
    return out.toByteArray();
  }

  private static void paint(List<Panel> panels, Graphics2D g) {
    for (Panel p : panels) {
      chart(p).paint(g, WIDTH, HEIGHT);
      g.translate(WIDTH, 0);
    }
  }

  private static XYChart chart(Panel p) {
    XYChart c =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(p.title())
            .xAxisTitle(p.xTitle())
            .yAxisTitle(p.yTitle())
            .theme(Styler.ChartTheme.Matlab)
            .build();
    c.getStyler()
        .setXAxisMaxLabelCount(TICKS)
        .setPlotGridVerticalLinesVisible(false)
        .setPlotGridLinesColor(new Color(0xdddddd))
        .setPlotGridLinesStroke(new BasicStroke(1))
        .setLegendPosition(
            falls(p) ? Styler.LegendPosition.InsideNE : Styler.LegendPosition.InsideNW)
        .setChartBackgroundColor(Color.WHITE)
        .setLocale(Locale.ROOT);
    boolean doublingX = p.axes() != Panel.Axes.LINEAR;
    boolean doublingY = p.axes() == Panel.Axes.DOUBLING;
    if (doublingX) {
      c.setCustomXAxisTickLabelsFormatter(Figure::power);
    }
    if (doublingY) {
      c.setCustomYAxisTickLabelsFormatter(Figure::power);
    } else {
      c.getStyler().setYAxisMin(0.0);
    }
    for (Panel.Line line : p.lines()) {
      boolean thin = line.colour() < 0;
      XYSeries s =
          c.addSeries(line.name(), places(line.x(), doublingX), places(line.y(), doublingY));
      s.setLineColor(thin ? Color.GRAY : COLOURS.get(line.colour() % COLOURS.size()));
      s.setLineStyle(new BasicStroke(thin ? 1 : 2));
      s.setMarkerColor(s.getLineColor());
      s.setMarker(thin ? SeriesMarkers.NONE : SeriesMarkers.CIRCLE);
    }
    return c;
  }

  /** Whether the first line ends below where it begins, which leaves the right corner free. */
  private static boolean falls(Panel p) {
    List<Double> y = p.lines().get(0).y();
    return y.get(y.size() - 1) < y.get(0);
  }

  private static List<Double> places(List<Double> numbers, boolean doubling) {
    return doubling ? numbers.stream().map(Figure::log2).toList() : numbers;
  }

  private static double log2(double x) {
    return Math.log(x) / Math.log(2);
  }

  /** The number at a place on a doubling axis; nothing between the whole ones. */
  private static String power(double place) {
    return place == Math.rint(place) ? Long.toString(Math.round(Math.pow(2, place))) : " ";
  }
}
