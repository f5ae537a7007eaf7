/**
 * The self-test of a GPU: what there is, whether the cases of all modules hold, whether memory is
 * given back, and how fast the UNet is. {@link io.github.distrifuser.selftest.SelfTest} runs each
 * section in a process of its own, for a device that has failed stays unusable for its process.
 */
@NullMarked
package io.github.distrifuser.selftest;

import org.jspecify.annotations.NullMarked;
