package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;

/** torch.nn.GroupNorm over {@code [b, h, w, c]}, with the activation that follows it. */
public class GroupNorm {
  private final Backend backend;
  private final PreparedWeight affine; // [c] and [c]
  private final int groups;
  private final float eps;

  public GroupNorm(Backend backend, PreparedWeight affine, int groups, float eps) {
    if (groups < 1 || affine.shape().dim(0) % groups != 0) {
      throw new IllegalArgumentException(
          affine.name() + ": " + affine.shape().dim(0) + " channels in " + groups + " groups");
    }
    this.backend = backend;
    this.affine = affine;
    this.groups = groups;
    this.eps = eps;
  }

  protected final Backend backend() {
    return backend;
  }

  protected final PreparedWeight affine() {
    return affine;
  }

  protected final int groups() {
    return groups;
  }

  protected final float eps() {
    return eps;
  }

  /** Writes the normalised and activated {@code x} into {@code out}, of the same shape. */
  public void forward(Tensor x, Activation activation, Tensor out) {
    backend.groupNorm(x, affine, groups, eps, activation, out);
  }
}
