/** Prompts to token ids: CLIP's tokenizer on the DJL binding of Hugging Face's tokenizers. */
@NullMarked
package io.github.distrifuser.tokenizers;

import org.jspecify.annotations.NullMarked;
