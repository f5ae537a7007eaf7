/**
 * The operators in plain Java: slow and obvious, on the Java heap. What every other backend is
 * tested against, and what computes where no native library loads.
 */
@NullMarked
package io.github.distrifuser.backend.reference;

import org.jspecify.annotations.NullMarked;
