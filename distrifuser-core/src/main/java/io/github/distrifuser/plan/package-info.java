/**
 * What a generation would cost on devices that nobody here has. The parallel denoisers run on a
 * backend and a communicator that compute and send nothing but write down what they are asked for;
 * a simulation then plays the ranks' lists against models of devices and links. There is no copy of
 * the schedule: what the layers do is what is predicted.
 */
@NullMarked
package io.github.distrifuser.plan;

import org.jspecify.annotations.NullMarked;
