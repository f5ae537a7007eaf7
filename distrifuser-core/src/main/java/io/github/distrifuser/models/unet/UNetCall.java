package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.CapturedSteps;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Calls of a UNet. All that changes from call to call or from one prompt to the next lies in
 * tensors that stay where they are, so that the work between can be captured.
 */
public final class UNetCall implements AutoCloseable {
  private final UNet2DConditionModel unet;
  private final Backend backend;
  private final CapturedSteps steps;
  private final List<Tensor> owned = new ArrayList<>();
  private final Map<Shape, Tensor> samples = new HashMap<>(); // [b, h, w, c]
  private final Signature signature;
  private final int batch;
  private final TextContext context;
  private final Tensor times; // [b, width]
  private final @Nullable Tensor textEmbeds; // [b, width]
  private final @Nullable Tensor sizes; // [b, ids * width]
  private final @Nullable Tensor timestepCond; // [b, time_cond_proj_dim]

  /** Shapes that inputs must have in common to take each other's place. */
  private record Signature(
      int height, int width, Shape states, @Nullable Shape pooled, int ids, @Nullable Shape cond) {

    static Signature of(DenoiserInputs in) {
      return new Signature(
          in.height(),
          in.width(),
          in.encoderHiddenStates().shape(),
          in.textEmbeds() == null ? null : in.textEmbeds().shape(),
          in.timeIds() == null ? 0 : in.timeIds().data().length,
          in.timestepCond() == null ? null : in.timestepCond().shape());
    }
  }

  /**
   * Calls with these inputs.
   *
   * @param steps runs the work of a call; closed with this object
   */
  public UNetCall(
      UNet2DConditionModel unet, Backend backend, DenoiserInputs in, CapturedSteps steps) {
    this.unet = unet;
    this.backend = backend;
    this.steps = steps;
    this.signature = Signature.of(in);
    this.batch = in.batch();
    try {
      NdArray states = in.encoderHiddenStates();
      this.context = TextContext.of(allocate(states.shape()));
      this.times = allocate(batch, unet.config().blockOutChannels().get(0));
      this.textEmbeds = in.textEmbeds() == null ? null : allocate(in.textEmbeds().shape());
      this.sizes =
          in.timeIds() == null || unet.config().additionTimeEmbedDim() == 0
              ? null
              : allocate(
                  batch,
                  (long) in.timeIds().data().length / batch * unet.config().additionTimeEmbedDim());
      this.timestepCond = in.timestepCond() == null ? null : allocate(in.timestepCond().shape());
      write(in);
    } catch (RuntimeException e) {
      owned.forEach(Tensor::close);
      throw e;
    }
  }

  private Tensor allocate(Shape shape) {
    return allocate(shape.toArray());
  }

  private Tensor allocate(long... dims) {
    Tensor t = backend.allocate(dims);
    owned.add(t);
    return t;
  }

  private void write(DenoiserInputs in) {
    write(in.encoderHiddenStates(), context.states());
    write(in.textEmbeds(), textEmbeds);
    write(in.timestepCond(), timestepCond);
    if (in.timeIds() != null && sizes != null) {
      backend.write(unet.sizeSinusoids(in.timeIds().data()), 0, sizes);
    }
  }

  private void write(@Nullable NdArray from, @Nullable Tensor to) {
    if (from != null && to != null) {
      backend.write(from.data(), 0, to);
    }
  }

  /** Whether {@link #setInputs} takes these. */
  public boolean fits(DenoiserInputs in) {
    return signature.equals(Signature.of(in));
  }

  /** Puts other inputs of the same shapes in the place of these. */
  public void setInputs(DenoiserInputs in) {
    write(in);
    context.renew();
  }

  /** What runs the work of a call. */
  public CapturedSteps steps() {
    return steps;
  }

  /**
   * One call.
   *
   * @param kind calls of one kind and shape run the same operators
   * @param sample {@code [b, c, h, w]}
   * @param after finishes the call's work on its result, which it returns
   * @return {@code [b, h', w, c]}, which the caller closes before the next call; h' is the rows
   *     that the layers compute
   */
  public Tensor run(Object kind, NdArray sample, float timestep, UnaryOperator<Tensor> after) {
    NdArray channelsLast = sample.toChannelsLast();
    Tensor x = samples.computeIfAbsent(channelsLast.shape(), this::allocate);
    backend.write(channelsLast.data(), 0, x);
    float[] timesteps = new float[sample.size(0)];
    Arrays.fill(timesteps, timestep);
    backend.write(unet.timeSinusoids(timesteps), 0, times);
    UNetInput in = new UNetInput(x, times, context, textEmbeds, sizes, timestepCond, null, null);
    return steps.run(
        List.of(kind, x.shape()),
        () -> {
          Tensor y = unet.forward(in);
          try {
            return after.apply(y);
          } catch (RuntimeException e) {
            y.close();
            throw e;
          }
        });
  }

  /** Frees everything. */
  @Override
  public void close() {
    steps.close();
    context.close();
    owned.forEach(Tensor::close);
  }
}
