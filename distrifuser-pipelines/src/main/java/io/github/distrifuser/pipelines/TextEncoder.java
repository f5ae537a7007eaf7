package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.models.clip.CLIPTextConfig;
import io.github.distrifuser.models.clip.CLIPTextModel;
import io.github.distrifuser.models.clip.CLIPTextOutput;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tokenizers.ClipTokenizer;
import io.github.distrifuser.weights.StateDict;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A tokenizer and the text encoder that belongs to it; the encoder is loaded when it is needed. */
public final class TextEncoder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TextEncoder.class);
  private static final String PREFIX = "text_model.";

  private final ModelSource source;
  private final @Nullable String variant;
  private final Backend backend;
  private final String component;
  private final boolean withProjection;
  private final ProgressReporter.Config bars;
  private final CLIPTextConfig config;
  private final ClipTokenizer tokenizer;
  private @Nullable CLIPTextModel model;

  /**
   * A component of a model.
   *
   * @param suffix {@code ""} or {@code "_2"}
   * @param bars how the bars of loading are shown
   */
  TextEncoder(
      ModelSource source,
      @Nullable String variant,
      Backend backend,
      String suffix,
      boolean withProjection,
      ProgressReporter.Config bars) {
    this.source = source;
    this.variant = variant;
    this.backend = backend;
    this.component = "text_encoder" + suffix;
    this.withProjection = withProjection;
    this.bars = bars;
    this.config = CLIPTextConfig.of(source.config(component + "/config.json"));
    this.tokenizer = ClipTokenizer.load(source.folder(), "tokenizer" + suffix);
  }

  /** The component's config.json. */
  public CLIPTextConfig config() {
    return config;
  }

  /** The tokenizer that goes with it. */
  public ClipTokenizer tokenizer() {
    return tokenizer;
  }

  /** The model, loaded now if it is not there. */
  public synchronized CLIPTextModel model() {
    CLIPTextModel m = model;
    if (m == null) {
      StateDict dict = source.weights(component, "model", variant).renamed(TextEncoder::withPrefix);
      m =
          LoadingBar.during(
              bars,
              component,
              dict,
              () ->
                  new CLIPTextModel(
                      config, new Layers(backend, new WeightStore(dict)), withProjection));
      dict.warnUnused();
      model = m;
    }
    return m;
  }

  /** transformers 5 saves CLIPTextModel without the prefix that every published folder has. */
  private static String withPrefix(String name) {
    boolean bare =
        name.startsWith("embeddings.")
            || name.startsWith("encoder.")
            || name.startsWith("final_layer_norm.");
    return bare ? PREFIX + name : name;
  }

  /**
   * Encodes prompts; see {@link CLIPTextModel#forward}.
   *
   * @param fromEnd which hidden state to return, counted from the end
   */
  public CLIPTextOutput encode(List<String> prompts, int fromEnd) {
    return model().forward(tokenize(prompts), fromEnd);
  }

  /** How many chunks the longest of the prompts needs, to be encoded whole. */
  public int chunks(List<String> prompts) {
    return prompts.stream().mapToInt(p -> tokenizer.encodeChunks(p).size()).max().orElse(1);
  }

  /**
   * Encodes prompts whole, in chunks that are put together along the tokens; a shorter prompt's are
   * followed by empty ones. Pooled states are those of the first.
   *
   * @param fromEnd which hidden state to return, counted from the end
   * @param chunks how many; one is {@link #encode(List, int)}, which cuts what is longer
   */
  public CLIPTextOutput encode(List<String> prompts, int fromEnd, int chunks) {
    if (chunks == 1) {
      return encode(prompts, fromEnd);
    }
    int[] empty = tokenizer.encodeChunks("").get(0);
    CLIPTextOutput all = null;
    for (int c = 0; c < chunks; c++) {
      int[][] ids = new int[prompts.size()][];
      for (int i = 0; i < ids.length; i++) {
        List<int[]> own = tokenizer.encodeChunks(prompts.get(i));
        ids[i] = c < own.size() ? own.get(c) : empty;
      }
      CLIPTextOutput next = model().forward(ids, fromEnd);
      all =
          all == null
              ? next
              : new CLIPTextOutput(
                  joinTokens(all.hiddenStates(), next.hiddenStates()),
                  joinTokens(all.lastHiddenState(), next.lastHiddenState()),
                  all.pooled());
    }
    if (all == null) {
      throw new IllegalArgumentException("chunks must be positive but is " + chunks);
    }
    return all;
  }

  /** {@code [n, a, width]} and {@code [n, b, width]} to {@code [n, a + b, width]}. */
  private static NdArray joinTokens(NdArray a, NdArray b) {
    int n = a.size(0);
    NdArray flat =
        NdArray.concatLast(
            NdArray.of(a.data(), n, a.data().length / n),
            NdArray.of(b.data(), n, b.data().length / n));
    return NdArray.of(flat.data(), n, a.size(1) + b.size(1), a.size(2));
  }

  /** Token ids of prompts, one row each; warns of what is cut off, as diffusers does. */
  private int[][] tokenize(List<String> prompts) {
    int[][] ids = new int[prompts.size()][];
    for (int i = 0; i < ids.length; i++) {
      ClipTokenizer.Encoded e = tokenizer.encode(prompts.get(i));
      ids[i] = e.ids();
      String removed = e.removed();
      if (removed != null) {
        LOG.warn(
            "The following part of your input was truncated because CLIP can only handle sequences"
                + " up to {} tokens: {}",
            tokenizer.modelMaxLength(),
            removed);
      }
    }
    return ids;
  }

  /** Frees the model, which is loaded again when it is needed. */
  synchronized void release() {
    if (model != null) {
      model.close();
      model = null;
    }
  }

  @Override
  public void close() {
    release();
    tokenizer.close();
  }
}
