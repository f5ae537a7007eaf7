/**
 * How ranks talk: the communicator's SPI, its handles, and who a rank is. Nothing here knows what
 * the bytes mean.
 */
@NullMarked
package io.github.distrifuser.comm;

import org.jspecify.annotations.NullMarked;
