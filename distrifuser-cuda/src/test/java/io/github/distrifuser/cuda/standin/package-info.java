/** Libraries under the names of CUDA's, which compute on the CPU, and what tests ask of them. */
@NullMarked
package io.github.distrifuser.cuda.standin;

import org.jspecify.annotations.NullMarked;
