/** Tests of captions and pictures of COCO. */
@NullMarked
package io.github.distrifuser.coco;

import org.jspecify.annotations.NullMarked;
