/** Several ranks on libraries that stand in for CUDA's and NCCL. */
@NullMarked
package io.github.distrifuser.cuda.comm;

import org.jspecify.annotations.NullMarked;
