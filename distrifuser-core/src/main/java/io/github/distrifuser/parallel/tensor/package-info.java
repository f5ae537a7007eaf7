/**
 * Layers divided among ranks by channel: attention heads, feed-forward, convolutions. Every rank
 * holds whole activations between layers and a share of the weights; what the shares yield is
 * summed over the ranks, once a layer.
 */
@NullMarked
package io.github.distrifuser.parallel.tensor;

import org.jspecify.annotations.NullMarked;
