package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.ExchangePlan;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.PatchRows;
import io.github.distrifuser.parallel.Ranks;
import io.github.distrifuser.parallel.StepPhase;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Runs one layer on all patches of an image, one rank each, for several steps. */
final class PatchRig {
  private final PatchRows rows;
  private final int level;
  private final SyncMode mode;
  private final WeightStore weights;
  private final List<ExchangePlan> plans = new ArrayList<>();

  PatchRig(PatchRows rows, int level, SyncMode mode, WeightStore weights) {
    this.rows = rows;
    this.level = level;
    this.mode = mode;
    this.weights = weights;
  }

  /** A layer under test. */
  interface Layer {
    /** From a patch to its output; the rig closes both. */
    Tensor forward(Tensor patch);
  }

  /** Makes the layer of one rank. */
  interface Maker {
    Layer make(PatchLayers layers, PatchContext context, Backend backend);
  }

  private record Outcome(List<NdArray> outputs, ExchangePlan plan) {}

  /**
   * Runs the layer, the first step synchronously.
   *
   * @param inputs the whole image {@code [b, h, w, c]} in each step
   * @return outputs by step and patch, {@code [b, h', w', c']} or whatever the layer gives
   */
  List<List<NdArray>> run(List<NdArray> inputs, Maker maker) {
    List<Outcome> ranks =
        Ranks.run(
            rows.patches(),
            world -> {
              try (Backend b = Fixtures.backend()) {
                PatchContext context = new PatchContext(b);
                context.plan(mode, rows, world, 1);
                Layer layer = maker.make(new PatchLayers(b, weights, context), context, b);
                List<NdArray> out = new ArrayList<>();
                for (NdArray whole : inputs) {
                  try (Tensor x = Fixtures.upload(b, patch(whole, context.index()));
                      Tensor y = layer.forward(x)) {
                    out.add(new NdArray(b.toFloats(y), y.shape()));
                  }
                  context.exchange().flush();
                  context.setPhase(StepPhase.ASYNCHRONOUS);
                }
                ExchangePlan plan = context.exchange().plan();
                context.release();
                if (b.memory().liveTensors() != 0) {
                  throw new IllegalStateException(b.memory() + " after release");
                }
                return new Outcome(out, plan);
              }
            });
    plans.clear();
    ranks.forEach(r -> plans.add(r.plan));
    List<List<NdArray>> steps = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      int step = i;
      steps.add(ranks.stream().map(r -> r.outputs.get(step)).toList());
    }
    return steps;
  }

  /** What each rank sent in a step of the last run. */
  List<ExchangePlan> plans() {
    return plans;
  }

  /** A patch of a whole image. */
  NdArray patch(NdArray whole, int index) {
    return cut(whole, rows.start(index, level), rows.start(index + 1, level));
  }

  /** The image as a patch sees it in an asynchronous step: itself fresh, the others stale. */
  NdArray seenBy(int index, NdArray stale, NdArray fresh) {
    int from = rows.start(index, level);
    int to = rows.start(index + 1, level);
    int h = stale.size(1);
    return joinRows(List.of(cut(stale, 0, from), cut(fresh, from, to), cut(stale, to, h)));
  }

  /** Rows {@code [from, to)} of {@code [b, h, ..]}. */
  static NdArray cut(NdArray a, int from, int to) {
    int b = a.size(0);
    int h = a.size(1);
    int row = a.data().length / (b * h);
    NdArray out = new NdArray(new float[b * (to - from) * row], a.shape().with(1, to - from));
    for (int i = 0; i < b; i++) {
      System.arraycopy(
          a.data(), (i * h + from) * row, out.data(), i * (to - from) * row, (to - from) * row);
    }
    return out;
  }

  static NdArray joinRows(List<NdArray> parts) {
    int b = parts.get(0).size(0);
    List<NdArray> entries = new ArrayList<>();
    for (int i = 0; i < b; i++) {
      int entry = i;
      List<NdArray> rows =
          parts.stream()
              .map(p -> p.rows(entry, entry + 1))
              .map(p -> new NdArray(p.data(), swapped(p)))
              .toList();
      NdArray joined = NdArray.concat(rows);
      entries.add(new NdArray(joined.data(), swapped(joined)));
    }
    return NdArray.concat(entries);
  }

  /** Dimensions 0 and 1 change places; one of them is 1. */
  private static Shape swapped(NdArray a) {
    return a.shape().with(0, a.size(1)).with(1, a.size(0));
  }
}
