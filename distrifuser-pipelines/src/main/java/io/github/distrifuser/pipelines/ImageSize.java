package io.github.distrifuser.pipelines;

/**
 * Two numbers of pixels, vertical first: a size or a corner.
 *
 * @param height rows, or the distance from the top
 * @param width columns, or the distance from the left
 */
public record ImageSize(int height, int width) {
  public ImageSize {
    if (height < 0 || width < 0) {
      throw new IllegalArgumentException("negative size " + height + " x " + width);
    }
  }
}
