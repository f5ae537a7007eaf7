package io.github.distrifuser.cpu;

/** One thread's arrays for host kernels, each of a size that fits the first-level cache. */
final class HostScratch {
  /** Elements that a kernel takes at a time: 8 KiB of floats. */
  static final int BLOCK = 2048;

  /** Which of its {@link Workers}' threads uses it, from 0. */
  final int worker;

  final float[] a;
  final float[] b;
  final short[] words;

  HostScratch() {
    this(BLOCK);
  }

  /** For blocks of this many elements. */
  HostScratch(int block) {
    this(block, 0);
  }

  HostScratch(int block, int worker) {
    this.worker = worker;
    a = new float[block];
    b = new float[block];
    words = new short[block];
  }
}
