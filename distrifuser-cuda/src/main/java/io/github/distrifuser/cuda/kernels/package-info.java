/**
 * The backend's own CUDA kernels: their sources (resources beside these classes), what arguments
 * each takes, and how they become code for the device at hand. {@link
 * io.github.distrifuser.cuda.kernels.KernelLibrary} lists them; {@link
 * io.github.distrifuser.cuda.kernels.KernelCache} compiles them once per device type and keeps the
 * result on disk.
 *
 * <p>Only {@link io.github.distrifuser.cuda.kernels.NvrtcCompiler} calls CUDA, and only when it is
 * used. Nothing here launches.
 */
@NullMarked
package io.github.distrifuser.cuda.kernels;

import org.jspecify.annotations.NullMarked;
