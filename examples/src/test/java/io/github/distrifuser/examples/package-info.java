/** Tests of the examples and of the launcher script that starts them. */
@NullMarked
package io.github.distrifuser.examples;

import org.jspecify.annotations.NullMarked;
