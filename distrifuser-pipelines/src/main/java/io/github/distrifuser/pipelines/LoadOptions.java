package io.github.distrifuser.pipelines;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * How a model is loaded and where it runs.
 *
 * @param variant weights' variant, as in {@code fp16}; null for the plain files
 * @param dtype type of activations; null for the device's default: float32 on CPUs, float16 on GPUs
 * @param device {@code auto}, {@code cpu}, {@code cuda}, or a backend's name
 * @param threads CPU threads of each rank; 0 for the backend's share of the machine
 * @param localRanks ranks as threads of this JVM; 1 for ranks as processes, or none
 * @param communicator this process's ranks; null to find them in the environment
 * @param scheduler which scheduler, built from the model's configuration
 * @param releaseAfterUse whether text encoders are freed once the prompt is encoded, to be loaded
 *     again for the next one
 * @param seed what seeds random weights, for the random models
 * @param trace whether what each rank does when is noted, for {@link DistriPipeline#timeline()}
 */
public record LoadOptions(
    @Nullable String variant,
    @Nullable DType dtype,
    String device,
    int threads,
    int localRanks,
    @Nullable Communicator communicator,
    SchedulerKind scheduler,
    boolean releaseAfterUse,
    long seed,
    boolean trace) {

  public LoadOptions {
    if (threads < 0) {
      throw new IllegalArgumentException("threads must not be negative but is " + threads);
    }
    if (localRanks < 1) {
      throw new IllegalArgumentException("localRanks must be positive but is " + localRanks);
    }
    if (localRanks > 1 && communicator != null) {
      throw new IllegalArgumentException("ranks are threads of this JVM or processes, not both");
    }
  }

  /** Everything found by itself: the best device, the ranks of the environment. */
  public static LoadOptions defaults() {
    return builder().build();
  }

  public static Builder builder() {
    return new Builder();
  }

  /** Builds {@link LoadOptions}. */
  public static final class Builder {
    private @Nullable String variant;
    private @Nullable DType dtype;
    private String device = "auto";
    private int threads;
    private int localRanks = 1;
    private @Nullable Communicator communicator;
    private SchedulerKind scheduler = SchedulerKind.DEFAULT;
    private boolean releaseAfterUse;
    private long seed = 1234;
    private boolean trace;

    private Builder() {}

    /** Weights' variant, as in {@code fp16}. */
    public Builder variant(@Nullable String value) {
      variant = value;
      return this;
    }

    /** Type of activations. */
    public Builder dtype(@Nullable DType value) {
      dtype = value;
      return this;
    }

    /** {@code auto}, {@code cpu}, {@code cuda}, or a backend's name. */
    public Builder device(String value) {
      device = value;
      return this;
    }

    /** CPU threads of each rank. */
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /** Ranks as threads of this JVM. */
    public Builder localRanks(int value) {
      localRanks = value;
      return this;
    }

    /** The ranks that this process is one of; the caller closes it. */
    public Builder communicator(@Nullable Communicator value) {
      communicator = value;
      return this;
    }

    /** Which scheduler, built from the model's configuration. */
    public Builder scheduler(SchedulerKind value) {
      scheduler = value;
      return this;
    }

    /** Whether text encoders are freed once the prompt is encoded. */
    public Builder releaseAfterUse(boolean value) {
      releaseAfterUse = value;
      return this;
    }

    /** What seeds random weights. */
    public Builder seed(long value) {
      seed = value;
      return this;
    }

    /** Whether what each rank does when is noted. */
    public Builder trace(boolean value) {
      trace = value;
      return this;
    }

    /** Checks and builds. */
    public LoadOptions build() {
      return new LoadOptions(
          variant,
          dtype,
          device,
          threads,
          localRanks,
          communicator,
          scheduler,
          releaseAfterUse,
          seed,
          trace);
    }
  }
}
