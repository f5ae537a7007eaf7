/** What each rank did when: computing, communicating, waiting. */
@NullMarked
package io.github.distrifuser.trace;

import org.jspecify.annotations.NullMarked;
