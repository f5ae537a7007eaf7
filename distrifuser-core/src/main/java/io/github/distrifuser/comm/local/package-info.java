/**
 * Ranks as threads of one JVM: messages are copied from tensor to tensor in host memory. Nothing
 * here starts a thread.
 */
@NullMarked
package io.github.distrifuser.comm.local;

import org.jspecify.annotations.NullMarked;
