package io.github.distrifuser.plots;

import java.util.List;

/**
 * A chart of lines.
 *
 * @param title above it
 * @param xTitle what lies along the x axis
 * @param yTitle what lies along the y axis, with its unit
 * @param axes how numbers lie along them
 * @param lines what is drawn, at least one
 */
public record Panel(String title, String xTitle, String yTitle, Axes axes, List<Line> lines) {

  /** How numbers lie along the axes. */
  public enum Axes {
    /** At even distances, y from 0. */
    LINEAR,
    /** 1, 2, 4, 8 at even distances along x; y from 0. */
    DOUBLING_X,
    /** 1, 2, 4, 8 at even distances along both. */
    DOUBLING
  }

  /**
   * One line with a mark at each point.
   *
   * @param name in the legend
   * @param colour number of its colour; {@link #COMPARISON} for a thin grey line without marks
   * @param x ascending; positive where the axis doubles
   * @param y one a point
   */
  public record Line(String name, int colour, List<Double> x, List<Double> y) {
    /** The colour of what is there to compare with. */
    public static final int COMPARISON = -1;

    public Line {
      if (x.isEmpty() || x.size() != y.size()) {
        throw new IllegalArgumentException(
            name + ": " + x.size() + " places for " + y.size() + " values");
      }
      x = List.copyOf(x);
      y = List.copyOf(y);
    }
  }

  public Panel {
    if (lines.isEmpty()) {
      throw new IllegalArgumentException(title + ": nothing to draw");
    }
    lines = List.copyOf(lines);
  }
}
