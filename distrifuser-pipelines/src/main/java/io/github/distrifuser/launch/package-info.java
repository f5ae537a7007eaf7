/**
 * What a rank's process needs from the launcher that started it: the entry point that the launcher
 * names, and the watch that ends a rank whose launcher is gone. Nothing here knows of models or
 * devices; a program that is started without the launcher needs none of it.
 */
@NullMarked
package io.github.distrifuser.launch;

import org.jspecify.annotations.NullMarked;
