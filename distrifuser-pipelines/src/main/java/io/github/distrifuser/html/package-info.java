/** Pages that show results. */
@NullMarked
package io.github.distrifuser.html;

import org.jspecify.annotations.NullMarked;
