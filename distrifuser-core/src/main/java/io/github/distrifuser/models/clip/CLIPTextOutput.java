package io.github.distrifuser.models.clip;

import io.github.distrifuser.tensor.NdArray;

/**
 * What a text encoder gives.
 *
 * @param hiddenStates the asked-for layer's output, {@code [n, tokens, hidden_size]}
 * @param lastHiddenState the last layer's output after the final norm, {@code [n, tokens,
 *     hidden_size]}
 * @param pooled the end-of-text token's state after the final norm {@code [n, hidden_size]}, or its
 *     projection {@code [n, projection_dim]}
 */
public record CLIPTextOutput(NdArray hiddenStates, NdArray lastHiddenState, NdArray pooled) {}
