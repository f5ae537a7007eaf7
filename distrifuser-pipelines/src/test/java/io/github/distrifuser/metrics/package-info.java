/** The measures against torchmetrics, lpips and clean-fid. */
@NullMarked
package io.github.distrifuser.metrics;

import org.jspecify.annotations.NullMarked;
