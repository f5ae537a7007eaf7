/**
 * The CPU backend, on oneDNN through JavaCPP. {@link OneDnnBackend} checks arguments and hands over
 * to one class per family of operators; those look up or make a oneDNN primitive for the shapes at
 * hand and run it on the tensors' addresses. What oneDNN lacks runs in plain Java, block by block
 * over native memory ({@link HostKernels}).
 *
 * <p>Only {@link OneDnnBackendProvider} and {@link OneDnnBackend} are for others. No state is
 * shared between backends but oneDNN's engine, which has none.
 */
@NullMarked
package io.github.distrifuser.cpu;

import org.jspecify.annotations.NullMarked;
