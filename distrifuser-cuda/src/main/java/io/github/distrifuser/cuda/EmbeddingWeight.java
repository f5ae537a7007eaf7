package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.WeightChecks;
import io.github.distrifuser.weights.WeightTensor;

/** A table {@code [entries, width]} in the type of activations. */
final class EmbeddingWeight extends CudaWeight {
  private EmbeddingWeight(String name, WeightTensor table, WeightUploads uploads) {
    super(
        name,
        WeightChecks.embedding(table),
        uploads,
        table.shape().elements() * uploads.dtype().bytes());
  }

  static EmbeddingWeight of(String name, WeightTensor table, WeightUploads uploads) {
    EmbeddingWeight w = new EmbeddingWeight(name, table, uploads);
    try {
      uploads.put(table, uploads.dtype(), w.address());
      w.sent(uploads);
    } catch (RuntimeException e) {
      w.close();
      throw e;
    }
    return w;
  }
}
