/**
 * What a device must be able to do: the operators that the layers call, memory, prepared weights,
 * and how a backend is found. Nothing here names one.
 */
@NullMarked
package io.github.distrifuser.backend;

import org.jspecify.annotations.NullMarked;
