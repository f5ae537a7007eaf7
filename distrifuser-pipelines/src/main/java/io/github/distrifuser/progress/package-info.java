/** Progress with the time left, where a person watches. */
@NullMarked
package io.github.distrifuser.progress;

import org.jspecify.annotations.NullMarked;
