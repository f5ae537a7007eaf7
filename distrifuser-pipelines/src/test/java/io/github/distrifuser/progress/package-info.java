/** Tests of what tells people how long it takes. */
@NullMarked
package io.github.distrifuser.progress;

import org.jspecify.annotations.NullMarked;
