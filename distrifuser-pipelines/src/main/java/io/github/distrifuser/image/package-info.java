/** Pictures: from decoded floats to 8 bits, and to PNG files that say how they were made. */
@NullMarked
package io.github.distrifuser.image;

import org.jspecify.annotations.NullMarked;
