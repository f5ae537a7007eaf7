package io.github.distrifuser.models;

import io.github.distrifuser.backend.Activation;

/** The names that configurations give to activations. */
public final class ActivationNames {
  private ActivationNames() {}

  /**
   * The activation of a name.
   *
   * @throws IllegalArgumentException for an unknown one, listing the choices
   */
  public static Activation of(String name) {
    return switch (name) {
      case "silu", "swish" -> Activation.SILU;
      case "gelu" -> Activation.GELU;
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
      case "quick_gelu" -> Activation.QUICK_GELU;
      case "relu" -> Activation.RELU;
      default ->
          throw new IllegalArgumentException(
              "unknown activation '"
                  + name
                  + "': choose from silu, swish, gelu, gelu_new, gelu_pytorch_tanh, quick_gelu,"
                  + " relu");
    };
  }
}
