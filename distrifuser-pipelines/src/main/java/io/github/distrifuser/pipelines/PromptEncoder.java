package io.github.distrifuser.pipelines;

import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns a request's prompts into embeddings, as a pipeline's {@code encode_prompt}. */
public interface PromptEncoder {

  /**
   * Encodes.
   *
   * @param guidance whether the negative prompt is needed
   * @return one entry a prompt, not yet repeated for each picture
   */
  PromptEmbeds encode(GenerationRequest request, boolean guidance);

  /** As many prompts as asked for, from a list of none, one, or that many. */
  static List<String> fill(String name, List<String> given, String otherwise, int n) {
    if (given.isEmpty()) {
      return Collections.nCopies(n, otherwise);
    }
    RequestChecks.count(name, given.size(), n);
    List<String> all = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      all.add(RequestChecks.pick(given, i));
    }
    return all;
  }

  /** Zeros of the shape of an array, or null for null. */
  static @Nullable NdArray zerosLike(@Nullable NdArray a) {
    return a == null ? null : NdArray.zeros(a.shape().toArray());
  }
}
