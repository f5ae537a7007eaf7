/** Puts the self-test into a folder for machines that have no Java and no network. */
@NullMarked
package io.github.distrifuser.selftest.bundle;

import org.jspecify.annotations.NullMarked;
