package io.github.distrifuser.metrics;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.image.ImageException;
import io.github.distrifuser.image.ImageFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** PSNR, LPIPS and FID of two folders of pictures. */
public final class Comparison {
  private static final int AT_ONCE = 8; // pictures that go through Inception together

  private final int batchSize;
  private final int workers;
  private final Runnable step;

  /** What is measured of one pair; LPIPS is NaN where it is not asked for. */
  public record PairResult(String name, double psnr, double lpips) {}

  /**
   * What is measured of all pairs.
   *
   * @param psnr mean over the batches, as in the original; infinity where all are infinite
   * @param lpips mean over the pairs; NaN where it is not asked for
   * @param infiniteBatches batches of equal pictures, which the mean of PSNR leaves out
   */
  public record PairResults(
      double psnr, double lpips, int infiniteBatches, List<PairResult> pairs) {}

  /**
   * How to go about it.
   *
   * @param batchSize pairs whose squared differences make one PSNR
   * @param workers threads that read pictures
   * @param step called after each picture or pair
   */
  public Comparison(int batchSize, int workers, Runnable step) {
    this.batchSize = batchSize;
    this.workers = workers;
    this.step = step;
  }

  /**
   * Compares pair by pair.
   *
   * @param lpips null for PSNR alone
   */
  public PairResults pairs(ImagePairs pairs, @Nullable Lpips lpips) {
    Batches batches = new Batches();
    List<PairResult> results = new ArrayList<>();
    Ahead.forEach(
        pairs.pairs(),
        workers,
        pairs::read,
        i -> {
          batches.add(i.first(), i.second());
          double distance = lpips == null ? Double.NaN : lpips(lpips, i);
          double psnr = Psnr.of(i.first(), i.second());
          results.add(new PairResult(i.pair().name(), psnr, distance));
          step.run();
        });
    batches.end();
    double mean = results.stream().mapToDouble(PairResult::lpips).average().orElseThrow();
    return new PairResults(batches.mean(), mean, batches.infinite, results);
  }

  private static double lpips(Lpips lpips, ImagePairs.Images i) {
    try {
      return lpips.of(i.first(), i.second());
    } catch (IllegalArgumentException e) {
      throw new ImageException(i.pair().second(), e.getMessage(), e);
    }
  }

  /** The original's mean: each batch's PSNR counts as often as it has pairs. */
  private final class Batches {
    private Psnr psnr = new Psnr();
    private int inBatch;
    private int counted;
    private int infinite;
    private double sum;

    void add(GeneratedImage a, GeneratedImage b) {
      psnr.add(a, b);
      if (++inBatch == batchSize) {
        end();
      }
    }

    void end() {
      if (inBatch == 0) {
        return;
      }
      double value = psnr.value();
      if (Double.isInfinite(value)) {
        infinite++;
      } else {
        sum += value * inBatch;
        counted += inBatch;
      }
      psnr = new Psnr();
      inBatch = 0;
    }

    double mean() {
      return counted == 0 ? Double.POSITIVE_INFINITY : sum / counted;
    }
  }

  /** Inception's features of all of a folder's pictures, in the order of their names. */
  public List<float[]> features(Path folder, Fid fid) {
    List<float[]> features = new ArrayList<>();
    List<float[]> waiting = new ArrayList<>();
    Ahead.forEach(
        ImageFiles.list(folder),
        workers,
        f -> Fid.resized(ImageFiles.read(f)),
        pixels -> {
          waiting.add(pixels);
          if (waiting.size() == AT_ONCE) {
            features.addAll(fid.features(waiting));
            waiting.clear();
          }
          step.run();
        });
    if (!waiting.isEmpty()) {
      features.addAll(fid.features(waiting));
    }
    return features;
  }
}
