package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The inputs of a generation on a backend, and calls of a UNet with them. */
public final class UNetCall implements AutoCloseable {
  private final UNet2DConditionModel unet;
  private final Backend backend;
  private final TextContext context;
  private final @Nullable Tensor textEmbeds;
  private final float @Nullable [] timeIds;
  private final @Nullable Tensor timestepCond;

  public UNetCall(UNet2DConditionModel unet, Backend backend, DenoiserInputs in) {
    this.unet = unet;
    this.backend = backend;
    this.context = TextContext.of(upload(in.encoderHiddenStates()));
    this.textEmbeds = in.textEmbeds() == null ? null : upload(in.textEmbeds());
    this.timeIds = in.timeIds() == null ? null : in.timeIds().data();
    this.timestepCond = in.timestepCond() == null ? null : upload(in.timestepCond());
  }

  private Tensor upload(NdArray a) {
    Tensor t = backend.allocate(a.shape().toArray());
    backend.write(a.data(), 0, t);
    return t;
  }

  /**
   * One call.
   *
   * @param sample {@code [b, c, h, w]}
   * @return {@code [b, h', w, c]}, which the caller closes; h' is the rows that the layers compute
   */
  public Tensor run(NdArray sample, float timestep) {
    float[] timesteps = new float[sample.size(0)];
    Arrays.fill(timesteps, timestep);
    try (Tensor x = upload(sample.toChannelsLast())) {
      return unet.forward(
          new UNetInput(x, timesteps, context, textEmbeds, timeIds, timestepCond, null, null));
    }
  }

  /** Frees the inputs and what the layers keep between steps. */
  @Override
  public void close() {
    unet.releaseCaches();
    closeInputs();
  }

  /** Frees the inputs alone, when others take their place within a generation. */
  public void closeInputs() {
    context.states().close();
    if (textEmbeds != null) {
      textEmbeds.close();
    }
    if (timestepCond != null) {
      timestepCond.close();
    }
  }
}
