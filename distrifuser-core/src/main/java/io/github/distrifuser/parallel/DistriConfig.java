package io.github.distrifuser.parallel;

/**
 * How a generation is divided among ranks: the original's DistriConfig, with its fields and
 * defaults. Pure data. Height, width and guidance are defaults that a call's own arguments
 * override.
 *
 * @param height picture's rows in pixels, a multiple of 8
 * @param width picture's columns in pixels, a multiple of 8
 * @param doClassifierFreeGuidance whether calls use guidance
 * @param splitBatch whether, under guidance and an even number of ranks, half of them compute the
 *     unconditional and half the conditional part
 * @param warmupSteps synchronous calls of the model beyond the first
 * @param commCheckpoint how many small messages travel together
 * @param mode what is exchanged after warm-up
 * @param useCudaGraph whether steps are captured as CUDA graphs where the device can
 * @param parallelism how the work is divided
 * @param splitScheme which way naive patches cut
 */
public record DistriConfig(
    int height,
    int width,
    boolean doClassifierFreeGuidance,
    boolean splitBatch,
    int warmupSteps,
    int commCheckpoint,
    SyncMode mode,
    boolean useCudaGraph,
    Parallelism parallelism,
    SplitScheme splitScheme) {

  public DistriConfig {
    checkSize("height", height);
    checkSize("width", width);
    if (warmupSteps < 0) {
      throw new IllegalArgumentException(
          "warmup_steps must not be negative, but is " + warmupSteps);
    }
    if (commCheckpoint < 1) {
      throw new IllegalArgumentException(
          "comm_checkpoint must be positive, but is " + commCheckpoint);
    }
  }

  private static void checkSize(String name, int pixels) {
    if (pixels < 8 || pixels % 8 != 0) {
      throw new IllegalArgumentException(
          name + " has to be a positive multiple of 8 but is " + pixels);
    }
  }

  /** The original's defaults: 1024 x 1024, guidance, patches, corrected_async_gn. */
  public static DistriConfig defaults() {
    return builder().build();
  }

  public static Builder builder() {
    return new Builder();
  }

  /** A builder that starts from these values. */
  public Builder toBuilder() {
    Builder b = new Builder();
    b.height = height;
    b.width = width;
    b.doClassifierFreeGuidance = doClassifierFreeGuidance;
    b.splitBatch = splitBatch;
    b.warmupSteps = warmupSteps;
    b.commCheckpoint = commCheckpoint;
    b.mode = mode;
    b.useCudaGraph = useCudaGraph;
    b.parallelism = parallelism;
    b.splitScheme = splitScheme;
    return b;
  }

  /** Builds a {@link DistriConfig}, starting from the original's defaults. */
  public static final class Builder {
    private int height = 1024;
    private int width = 1024;
    private boolean doClassifierFreeGuidance = true;
    private boolean splitBatch = true;
    private int warmupSteps = 4;
    private int commCheckpoint = 60;
    private SyncMode mode = SyncMode.CORRECTED_ASYNC_GN;
    private boolean useCudaGraph = true;
    private Parallelism parallelism = Parallelism.PATCH;
    private SplitScheme splitScheme = SplitScheme.ROW;

    private Builder() {}

    /** Picture's rows in pixels. */
    public Builder height(int pixels) {
      height = pixels;
      return this;
    }

    /** Picture's columns in pixels. */
    public Builder width(int pixels) {
      width = pixels;
      return this;
    }

    /** Whether calls use classifier-free guidance by default. */
    public Builder doClassifierFreeGuidance(boolean on) {
      doClassifierFreeGuidance = on;
      return this;
    }

    /** Whether the halves of the batch go to different ranks. */
    public Builder splitBatch(boolean on) {
      splitBatch = on;
      return this;
    }

    /** Synchronous calls beyond the first. */
    public Builder warmupSteps(int steps) {
      warmupSteps = steps;
      return this;
    }

    /** How many small messages travel together. */
    public Builder commCheckpoint(int messages) {
      commCheckpoint = messages;
      return this;
    }

    /** What is exchanged after warm-up. */
    public Builder mode(SyncMode syncMode) {
      mode = syncMode;
      return this;
    }

    /** As {@link #mode(SyncMode)}, by the original's name. */
    public Builder mode(String name) {
      return mode(SyncMode.of(name));
    }

    /** Whether steps are captured as CUDA graphs. */
    public Builder useCudaGraph(boolean on) {
      useCudaGraph = on;
      return this;
    }

    /** How the work is divided. */
    public Builder parallelism(Parallelism scheme) {
      parallelism = scheme;
      return this;
    }

    /** As {@link #parallelism(Parallelism)}, by the original's name. */
    public Builder parallelism(String name) {
      return parallelism(Parallelism.of(name));
    }

    /** Which way naive patches cut. */
    public Builder splitScheme(SplitScheme scheme) {
      splitScheme = scheme;
      return this;
    }

    /** As {@link #splitScheme(SplitScheme)}, by the original's name. */
    public Builder splitScheme(String name) {
      return splitScheme(SplitScheme.of(name));
    }

    /** Checks and builds. */
    public DistriConfig build() {
      return new DistriConfig(
          height,
          width,
          doClassifierFreeGuidance,
          splitBatch,
          warmupSteps,
          commCheckpoint,
          mode,
          useCudaGraph,
          parallelism,
          splitScheme);
    }
  }
}
