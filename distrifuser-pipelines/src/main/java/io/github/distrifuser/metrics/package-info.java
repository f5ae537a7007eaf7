/**
 * How near pictures are to each other: the measures of the original's compute_metrics.py, and the
 * networks that they need.
 */
@NullMarked
package io.github.distrifuser.metrics;

import org.jspecify.annotations.NullMarked;
