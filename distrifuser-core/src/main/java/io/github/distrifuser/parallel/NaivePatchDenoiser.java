package io.github.distrifuser.parallel;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Patches computed as if each were an image of its own: the paper's naive baseline. */
public final class NaivePatchDenoiser extends RankedDenoiser {
  private final List<PredictionGather> gathers = new ArrayList<>(); // rows, columns
  private PatchRows rows = PatchRows.even(1, 1, 1);
  private PatchRows columns = PatchRows.even(1, 1, 1);

  /**
   * A denoiser of plain layers.
   *
   * @param layers plain layers
   */
  public NaivePatchDenoiser(
      UNetConfig unetConfig, Layers layers, Communicator world, DistriConfig config) {
    super(unetConfig, layers, world, config);
  }

  private boolean byRows(int step) {
    return switch (config().splitScheme()) {
      case ROW -> true;
      case COL -> false;
      case ALTERNATE -> step % 2 == 0;
    };
  }

  private Region region(DenoiserInputs in, int patch, boolean byRows) {
    return byRows
        ? new Region(0, 0, rows.start(patch, 0), rows.start(patch + 1, 0), 0, in.width())
        : new Region(0, 0, 0, in.height(), columns.start(patch, 0), columns.start(patch + 1, 0));
  }

  @Override
  void plan(RankTopology t, DenoiserInputs in) {
    SplitScheme s = config().splitScheme();
    int n = t.patchRanks();
    if (s != SplitScheme.COL) {
      rows = PatchRows.even(in.height(), downFactor(), n);
    }
    if (s != SplitScheme.ROW) {
      columns = PatchRows.even(in.width(), downFactor(), n);
    }
    for (boolean byRows : new boolean[] {true, false}) {
      boolean used = byRows ? s != SplitScheme.COL : s != SplitScheme.ROW;
      List<Region> all =
          used ? regions(t, in.batch(), i -> region(in, i, byRows)) : List.<Region>of();
      gathers.add(new PredictionGather(backend(), world(), all, unetConfig().outChannels()));
    }
  }

  @Override
  Region inputRegion(RankTopology t, DenoiserInputs in, int step) {
    int[] b = batchRange(t, t.rank(), in.batch());
    Region r = region(in, t.patchIndex(), byRows(step));
    return new Region(b[0], b[1], r.row0(), r.row1(), r.col0(), r.col1());
  }

  @Override
  String kind(int step) {
    return byRows(step) ? "by rows" : "by columns";
  }

  @Override
  boolean communicatesInStep() {
    return false;
  }

  @Override
  NdArray afterStep(Tensor mine, DenoiserInputs in, int step) {
    return gathers.get(byRows(step) ? 0 : 1).gather(mine, in.batch(), in.height(), in.width());
  }

  @Override
  void release() {
    gathers.forEach(PredictionGather::close);
    gathers.clear();
  }
}
