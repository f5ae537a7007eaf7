/** How near pictures are to each other. */
@NullMarked
package io.github.distrifuser.metrics;

import org.jspecify.annotations.NullMarked;
