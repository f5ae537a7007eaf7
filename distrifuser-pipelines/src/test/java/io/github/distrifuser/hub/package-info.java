/** Tests of the hub against servers on loopback. */
@NullMarked
package io.github.distrifuser.hub;

import org.jspecify.annotations.NullMarked;
