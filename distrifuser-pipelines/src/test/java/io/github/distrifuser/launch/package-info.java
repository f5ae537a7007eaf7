/**
 * Tests of the process side of launching; the launcher script itself is tested in the examples
 * module.
 */
@NullMarked
package io.github.distrifuser.launch;

import org.jspecify.annotations.NullMarked;
