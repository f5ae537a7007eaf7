package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.CapturedSteps;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A UNet on one device. Where the device captures steps, the graphs of the shapes that were used
 * last are kept from one generation to the next.
 */
public final class UNetDenoiser implements Denoiser {
  private static final int KEPT = 4; // shapes

  private final Backend backend;
  private final UNet2DConditionModel unet;
  private final boolean captures;
  private final Deque<UNetCall> kept = new ArrayDeque<>(); // last used first
  private @Nullable UNetCall call;

  public UNetDenoiser(UNetConfig config, Layers layers) {
    this(config, layers, true);
  }

  /**
   * A denoiser.
   *
   * @param captures whether steps are captured where the device can
   */
  public UNetDenoiser(UNetConfig config, Layers layers, boolean captures) {
    this.backend = layers.backend();
    this.unet = new UNet2DConditionModel(config, layers);
    this.captures = captures;
  }

  @Override
  public void begin(DenoiserInputs inputs) {
    end();
    for (UNetCall c : kept) {
      if (c.fits(inputs)) {
        kept.remove(c);
        call = c; // first, so that it is freed if this fails
        c.steps().resume();
        c.setInputs(inputs);
        return;
      }
    }
    CapturedSteps steps = new CapturedSteps(backend, captures, CapturedSteps.Peers.NONE);
    call = new UNetCall(unet, backend, inputs, steps);
  }

  @Override
  public void replaceEmbeddings(DenoiserInputs inputs) {
    if (call != null && call.fits(inputs)) {
      call.setInputs(inputs);
    } else {
      begin(inputs);
    }
  }

  @Override
  public NdArray predict(NdArray sample, float timestep) {
    if (call == null) {
      throw new IllegalStateException("predict before begin");
    }
    try (Tensor y = call.run("denoising", sample, timestep, UnaryOperator.identity())) {
      return new NdArray(backend.toFloats(y), y.shape()).toChannelsFirst();
    } catch (RuntimeException e) {
      call.steps().close(); // what a failed device holds is worth nothing
      throw e;
    }
  }

  @Override
  public void end() {
    UNetCall c = call;
    call = null;
    if (c == null) {
      return;
    }
    if (c.steps().graphs() == 0) {
      c.close();
      return;
    }
    c.steps().rest();
    kept.addFirst(c);
    if (kept.size() > KEPT) {
      kept.removeLast().close();
    }
  }

  @Override
  public void close() {
    end();
    kept.forEach(UNetCall::close);
    kept.clear();
  }
}
