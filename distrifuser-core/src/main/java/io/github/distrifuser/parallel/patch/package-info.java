/**
 * Displaced patch parallelism: layers that compute a horizontal patch and take what they need of
 * the other patches from the step before. The convolution and the norm know no UNet.
 */
@NullMarked
package io.github.distrifuser.parallel.patch;

import org.jspecify.annotations.NullMarked;
