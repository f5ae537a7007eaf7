/** Line charts, drawn with XChart as PNG or SVG. Knows nothing of reports. */
@NullMarked
package io.github.distrifuser.plots;

import org.jspecify.annotations.NullMarked;
