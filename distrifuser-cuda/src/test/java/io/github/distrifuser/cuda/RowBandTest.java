package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Conv2dGeometry;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowBandTest {
  @ParameterizedTest
  @CsvSource({"3,1,1,1", "3,2,1,1", "3,2,0,1", "1,1,0,0", "1,2,0,0", "5,1,2,2", "3,1,0,0"})
  void bandsSeeTheRowsThatTheWholeSees(int kernel, int stride, int top, int bottom) {
    Conv2dGeometry g = new Conv2dGeometry(stride, top, bottom, 0, 0);
    int height = 23;
    int outHeight = g.outHeight(height, kernel);
    for (int mostIn = 0; mostIn <= 25; mostIn++) {
      for (int mostOut = 1; mostOut <= 25; mostOut++) {
        List<RowBand> bands = RowBand.of(height, outHeight, kernel, g, mostIn, mostOut);
        int next = 0;
        for (RowBand b : bands) {
          assertEquals(next, b.outFrom());
          next = b.outTo();
          int rows = b.outTo() - b.outFrom();
          assertEquals(rows, b.geometry().outHeight(b.inTo() - b.inFrom(), kernel), b::toString);
          assertTrue(rows <= mostOut, b::toString);
          assertTrue(rows == 1 || b.inTo() - b.inFrom() <= mostIn, b::toString);
          // The first row of the kernel stands on the same row of the image.
          assertEquals(b.outFrom() * stride - top, b.inFrom() - b.geometry().top(), b::toString);
        }
        assertEquals(outHeight, next);
      }
    }
  }
}
