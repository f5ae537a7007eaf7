/**
 * Random numbers as torch draws them: a seed gives the same noise here as in Python.
 *
 * <p>Only generators live here; who draws, and when, is the business of pipelines and schedulers.
 */
@NullMarked
package io.github.distrifuser.random;

import org.jspecify.annotations.NullMarked;
