package io.github.distrifuser.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.image.ImageException;
import io.github.distrifuser.image.ImageFiles;
import io.github.distrifuser.weights.StateDict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What measuring needs besides a fast backend. */
class MetricsTest {
  @TempDir Path folder;

  @Test
  void resizingIsPils() throws IOException {
    Expected expected = new Expected();
    for (int i = 0; i < expected.length("sizes"); i++) {
      int h = (int) expected.number("sizes", i, 0);
      int w = (int) expected.number("sizes", i, 1);
      float[] f = Fid.resized(Formula.picture(i, h, w, true));
      for (int p = 0; p < expected.length("points"); p++) {
        int y = (int) expected.number("points", p, 0);
        int x = (int) expected.number("points", p, 1);
        for (int c = 0; c < 3; c++) {
          double pil = expected.number("resized", i, 3 * p + c);
          assertEquals(pil, f[(y * 299 + x) * 3 + c], 2e-5, "picture " + i + " at " + y + " " + x);
        }
      }
    }
  }

  @Test
  void groundTruthIsResizedAsTorchvisionDoes() throws IOException {
    Expected expected = new Expected();
    GeneratedImage other = Formula.picture(9, 1024, 1024, true);
    int[][] sizes = {{480, 640}, {1300, 700}};
    for (int t = 0; t < 2; t++) {
      GeneratedImage truth = Formula.picture(7 + t, sizes[t][0], sizes[t][1], false);
      GeneratedImage large = Resampling.bilinear(truth, 1024, 1024);
      int at = 0;
      for (int y = 0; y < 1024; y += 97) {
        for (int x = 0; x < 1024; x += 101) {
          for (int c = 0; c < 3; c++) {
            assertEquals(expected.number("truth", t, at++), large.at(y, x, c), 1, y + " " + x);
          }
        }
      }
      expected.check(Psnr.of(large, other), "truth_psnr", t);
    }
  }

  @Test
  void aPhotoIsReadAsPilReadsIt() {
    GeneratedImage jpeg = ImageFiles.read(Expected.folder().resolve("photo.jpg"));
    GeneratedImage png = ImageFiles.read(Expected.folder().resolve("photo.png"));
    int most = 0;
    for (int i = 0; i < png.rgb().length; i++) {
      most = Math.max(most, Math.abs((jpeg.rgb()[i] & 0xff) - (png.rgb()[i] & 0xff)));
    }
    assertTrue(most <= 2, "levels: " + most);
    GeneratedImage grey = ImageFiles.read(Expected.folder().resolve("grey.jpg"));
    assertEquals(png.width(), grey.width());
    assertEquals(grey.at(5, 7, 0), grey.at(5, 7, 2));
  }

  @Test
  void lpipsOnThePlainBackend() throws IOException {
    StateDict weights = Formula.weights();
    try (Backend backend = Backends.choose("reference").create(BackendOptions.defaults());
        Lpips lpips = new Lpips(backend, weights, weights)) {
      GeneratedImage a = Formula.picture(3, 64, 64, false);
      new Expected().check(lpips.of(a, Formula.picture(3, 64, 64, true)), "lpips_each", 3);
      assertEquals(0, lpips.of(a, a));
    }
  }

  @Test
  void theDistanceOfDistributionsThatAreKnown() {
    // Independent features: sum of (m1 - m2)^2 + (s1 - s2)^2, with fewer and with more pictures
    // than features.
    for (int n : new int[] {9, 400}) {
      Random random = new Random(n);
      int d = 12;
      List<float[]> a = new ArrayList<>();
      List<float[]> b = new ArrayList<>();
      for (int i = 0; i < n; i++) {
        float[] f = new float[d];
        float[] g = new float[d];
        for (int k = 0; k < d; k++) {
          f[k] = (float) random.nextGaussian();
          g[k] = 3 * f[k] + 2; // the same distribution, stretched and moved
        }
        a.add(f);
        b.add(g);
      }
      double variance = 0;
      double means = 0;
      for (int k = 0; k < d; k++) {
        double sum = 0;
        double squares = 0;
        for (float[] f : a) {
          sum += f[k];
          squares += f[k] * f[k];
        }
        variance += (squares - sum * sum / n) / (n - 1);
        means += Math.pow(2 + 2 * sum / n, 2);
      }
      // tr S + tr 9S - 2 tr 3S = 4 tr S
      assertEquals(means + 4 * variance, FrechetDistance.of(a, b), 1e-4 * means);
    }
  }

  @Test
  void namesInTheScript() {
    assertEquals("layers.mixed_3.tower.conv_1", InceptionWeights.tfName("Mixed_6a.branch3x3dbl_2"));
    assertEquals("layers.mixed_10.tower_conv", InceptionWeights.tfName("Mixed_7c.branch3x3_1"));
    assertEquals("layers.conv_4", InceptionWeights.tfName("Conv2d_4a_3x3"));
  }

  // --- folders ---

  private Path save(String name, GeneratedImage image) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    image.save(file);
    return file;
  }

  private String fails() {
    return assertThrows(
            ImageException.class,
            () -> {
              ImagePairs pairs = new ImagePairs(folder.resolve("a"), folder.resolve("b"), false);
              new Comparison(64, 2, () -> {}).pairs(pairs, null);
            })
        .getMessage();
  }

  @ParameterizedTest
  @CsvSource({"a,b", "b,a"})
  void aMissingPairIsNamed(String has, String lacks) throws IOException {
    GeneratedImage image = Formula.picture(0, 16, 16, false);
    save("a/1.png", image);
    save("b/1.png", image);
    Path alone = save(has + "/2.png", image);
    assertEquals(alone + ": has no counterpart in " + folder.resolve(lacks), fails());
  }

  @Test
  void aCutPictureIsNamed() throws IOException {
    GeneratedImage image = Formula.picture(0, 16, 16, false);
    save("a/1.png", image);
    Path cut = save("b/1.png", image);
    byte[] bytes = Files.readAllBytes(cut);
    Files.write(cut, Arrays.copyOf(bytes, bytes.length / 2));
    assertEquals(cut + ": is cut short", fails());
  }

  @Test
  void anotherSizeIsNamed() throws IOException {
    save("a/1.png", Formula.picture(0, 16, 16, false));
    Path other = save("b/1.png", Formula.picture(0, 16, 24, false));
    String message = fails();
    assertTrue(message.startsWith(other + ": is of 16 x 24, "), message);
    assertTrue(message.endsWith("a/1.png is of 16 x 16"), message);
  }

  @Test
  void batchesOfEqualPicturesAreLeftOutOfPsnr() throws IOException {
    for (int i = 0; i < 4; i++) {
      save("a/" + i + ".png", Formula.picture(i, 16, 16, false));
      save("b/" + i + ".png", Formula.picture(i, 16, 16, i == 3));
    }
    ImagePairs pairs = new ImagePairs(folder.resolve("a"), folder.resolve("b"), false);
    Comparison.PairResults each = new Comparison(1, 2, () -> {}).pairs(pairs, null);
    assertEquals(3, each.infiniteBatches());
    double last = each.pairs().get(3).psnr();
    assertEquals(last, each.psnr(), 1e-9);
    Comparison.PairResults two = new Comparison(2, 2, () -> {}).pairs(pairs, null);
    assertEquals(1, two.infiniteBatches());
    assertEquals(last + 10 * Math.log10(2), two.psnr(), 1e-9);
  }
}
