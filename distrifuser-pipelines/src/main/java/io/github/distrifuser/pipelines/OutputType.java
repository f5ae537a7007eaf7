package io.github.distrifuser.pipelines;

/** What a generation returns. */
public enum OutputType {
  /** Pictures; diffusers' {@code pil}. */
  IMAGE,
  /** Latents, undecoded; diffusers' {@code latent}. */
  LATENT;

  /**
   * Parses diffusers' names.
   *
   * @throws IllegalArgumentException for any other, listing the choices
   */
  public static OutputType of(String name) {
    return switch (name) {
      case "pil" -> IMAGE;
      case "latent" -> LATENT;
      default ->
          throw new IllegalArgumentException(
              "unknown output_type '" + name + "': choose from pil, latent");
    };
  }
}
