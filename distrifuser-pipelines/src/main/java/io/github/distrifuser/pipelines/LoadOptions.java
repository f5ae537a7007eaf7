package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.hub.HubOptions;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.tensor.DType;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How a model is loaded and where it runs.
 *
 * @param variant weights' variant, as in {@code fp16}; null for the plain files
 * @param dtype type of activations; null for the device's default: float32 on CPUs, float16 on GPUs
 * @param winograd whether convolutions on CPUs may be done by Winograd's filtering
 * @param device {@code auto}, {@code cpu}, {@code cuda}, or a backend's name
 * @param threads CPU threads of each rank; 0 for the backend's share of the machine
 * @param localRanks ranks as threads of this JVM; 1 for ranks as processes, or none
 * @param communicator this process's ranks; null to find them in the environment
 * @param scheduler which scheduler, built from the model's configuration
 * @param releaseAfterUse whether text encoders are freed once the prompt is encoded, to be loaded
 *     again for the next one
 * @param seed what seeds random weights, for the random models
 * @param trace whether what each rank does when is noted, for {@link DistriPipeline#timeline()}
 * @param hub where models of the hub come from
 * @param progress of the bars of downloading and loading
 */
public record LoadOptions(
    @Nullable String variant,
    @Nullable DType dtype,
    Winograd winograd,
    String device,
    int threads,
    int localRanks,
    @Nullable Communicator communicator,
    SchedulerKind scheduler,
    boolean releaseAfterUse,
    long seed,
    boolean trace,
    HubOptions hub,
    ProgressReporter.Config progress) {

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

  /** Starts from {@link #defaults()}. */
  public static Builder builder() {
    return new Builder();
  }

  /** Builds {@link LoadOptions}. */
  public static final class Builder {
    private @Nullable String variant;
    private @Nullable DType dtype;
    private Winograd winograd = Winograd.AUTO;
    private String device = "auto";
    private int threads;
    private int localRanks = 1;
    private @Nullable Communicator communicator;
    private SchedulerKind scheduler = SchedulerKind.DEFAULT;
    private boolean releaseAfterUse;
    private long seed = 1234;
    private boolean trace;
    private @Nullable String revision;
    private boolean localFilesOnly;
    private @Nullable String token;
    private @Nullable Path cacheDir;
    private @Nullable String endpoint;
    private ProgressReporter.Config progress = ProgressReporter.Config.defaults();

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

    /** Whether convolutions on CPUs may be done by Winograd's filtering. */
    public Builder winograd(Winograd value) {
      winograd = value;
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

    /** A branch, a tag or a commit of a model of the hub; null for {@code main}. */
    public Builder revision(@Nullable String value) {
      revision = value;
      return this;
    }

    /** Whether models of the hub are taken from the cache, without asking the hub. */
    public Builder localFilesOnly(boolean value) {
      localFilesOnly = value;
      return this;
    }

    /** Token of a hub account; null for HF_TOKEN or the token file. */
    public Builder token(@Nullable String value) {
      token = value;
      return this;
    }

    /** The hub's cache; null for where the environment says. */
    public Builder cacheDir(@Nullable Path value) {
      cacheDir = value;
      return this;
    }

    /** The hub's address; null for HF_ENDPOINT, or the hub itself. */
    public Builder endpoint(@Nullable String value) {
      endpoint = value;
      return this;
    }

    /** The bars of downloading and loading. */
    public Builder progress(ProgressReporter.Config value) {
      progress = value;
      return this;
    }

    /** Checks and builds. */
    public LoadOptions build() {
      return new LoadOptions(
          variant,
          dtype,
          winograd,
          device,
          threads,
          localRanks,
          communicator,
          scheduler,
          releaseAfterUse,
          seed,
          trace,
          new HubOptions(revision, localFilesOnly, token, cacheDir, endpoint),
          progress);
    }
  }
}
