/**
 * The backend for NVIDIA's GPUs: matrix products by cuBLASLt, convolutions and attention by cuDNN,
 * everything else by kernels of its own (package {@code kernels}).
 *
 * <p>{@link io.github.distrifuser.cuda.CudaBackendProvider} and {@link
 * io.github.distrifuser.cuda.CudaLibraries} load nothing; every other class may only be touched
 * once {@link io.github.distrifuser.cuda.Cuda} has found the libraries.
 *
 * <p>Work goes to two streams: operators to one, uploads of weights to the other; events order
 * them. Memory of tensors belongs to the first stream: what is freed serves whatever is called
 * next.
 */
@NullMarked
package io.github.distrifuser.cuda;

import org.jspecify.annotations.NullMarked;
