/** Tests of pictures and their files. */
@NullMarked
package io.github.distrifuser.image;

import org.jspecify.annotations.NullMarked;
