package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Brings the pieces of the noise prediction together on every rank. */
final class PredictionGather implements AutoCloseable {
  private final Backend backend;
  private final Communicator group;
  private final List<Region> regions;
  private final List<Tensor> slots = new ArrayList<>();

  /**
   * A gathering within a group.
   *
   * @param regions what each rank of the group computes, in rank order
   * @param channels channels of the prediction
   */
  PredictionGather(Backend backend, Communicator group, List<Region> regions, int channels) {
    this.backend = backend;
    this.group = group;
    this.regions = regions;
    for (Region r : regions) {
      slots.add(
          backend.allocate(
              r.batch1() - r.batch0(), r.row1() - r.row0(), r.col1() - r.col0(), channels));
    }
  }

  /** Bytes that this rank sends in every step. */
  long bytesSent() {
    return slots.get(group.rank()).byteSize() * (group.size() - 1);
  }

  /**
   * Exchanges the pieces.
   *
   * @param mine this rank's, {@code [b, h, w, c]}
   * @param batch entries of the whole batch
   * @return {@code [batch, c, h, w]}
   */
  NdArray gather(Tensor mine, int batch, int height, int width) {
    Tensor own = slots.get(group.rank());
    backend.copy(mine, own);
    group.allGather(slots).await();
    NdArray whole = NdArray.zeros(batch, own.size(3), height, width);
    for (int i = 0; i < slots.size(); i++) {
      regions.get(i).paste(backend.toFloats(slots.get(i)), whole);
    }
    return whole;
  }

  @Override
  public void close() {
    slots.forEach(Tensor::close);
  }
}
