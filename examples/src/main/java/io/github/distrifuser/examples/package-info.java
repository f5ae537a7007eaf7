/** Mains that mirror the original's scripts, one class each. */
@NullMarked
package io.github.distrifuser.examples;

import org.jspecify.annotations.NullMarked;
