/** The COCO captions and pictures with which the original measures quality, from local files. */
@NullMarked
package io.github.distrifuser.coco;

import org.jspecify.annotations.NullMarked;
