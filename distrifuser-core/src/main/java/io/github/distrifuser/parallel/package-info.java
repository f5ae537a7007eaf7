/**
 * How several ranks divide one generation: the configuration, who computes what, and the denoisers
 * of each scheme. Talks to other ranks through the communicator's interface only.
 */
@NullMarked
package io.github.distrifuser.parallel;

import org.jspecify.annotations.NullMarked;
