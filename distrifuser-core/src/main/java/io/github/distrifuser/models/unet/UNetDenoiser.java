package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** A UNet on one device. */
public final class UNetDenoiser implements Denoiser {
  private final Backend backend;
  private final UNet2DConditionModel unet;
  private @Nullable UNetCall call;

  public UNetDenoiser(UNetConfig config, Layers layers) {
    this.backend = layers.backend();
    this.unet = new UNet2DConditionModel(config, layers);
  }

  @Override
  public void begin(DenoiserInputs inputs) {
    end();
    call = new UNetCall(unet, backend, inputs);
  }

  @Override
  public void replaceEmbeddings(DenoiserInputs inputs) {
    begin(inputs);
  }

  @Override
  public NdArray predict(NdArray sample, float timestep) {
    if (call == null) {
      throw new IllegalStateException("predict before begin");
    }
    try (Tensor y = call.run(sample, timestep)) {
      return new NdArray(backend.toFloats(y), y.shape()).toChannelsFirst();
    }
  }

  @Override
  public void end() {
    if (call != null) {
      call.close();
      call = null;
    }
  }

  @Override
  public void close() {
    end();
  }
}
