/**
 * Models of the Hugging Face hub, in the cache that Python's huggingface_hub keeps on the same
 * machine. Knows repositories, revisions, files and locks; what a model's files mean is known only
 * to {@code FileChoice}.
 */
@NullMarked
package io.github.distrifuser.hub;

import org.jspecify.annotations.NullMarked;
