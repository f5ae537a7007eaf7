package io.github.distrifuser.models.clip;

import io.github.distrifuser.tensor.NdArray;
import org.jspecify.annotations.Nullable;

/**
 * What a text encoder gives.
 *
 * @param hiddenStates the asked-for layer's output, {@code [n, tokens, hidden_size]}
 * @param lastHiddenState the last layer's output after the final norm, {@code [n, tokens,
 *     hidden_size]}; null where only an earlier layer was asked for
 * @param pooled the end-of-text token's state after the final norm {@code [n, hidden_size]}, or its
 *     projection {@code [n, projection_dim]}; null where only an earlier layer was asked for
 */
public record CLIPTextOutput(
    NdArray hiddenStates, @Nullable NdArray lastHiddenState, @Nullable NdArray pooled) {}
