package io.github.distrifuser.random;

/** Philox4x32-10 of Salmon and others: four random words from a counter and a key. */
final class Philox {
  private static final int ROUNDS = 10;

  private Philox() {}

  /**
   * Replaces a counter by its random words.
   *
   * @param c four words, first the lowest
   */
  static void generate(int[] c, long key) {
    int k0 = (int) key;
    int k1 = (int) (key >>> 32);
    for (int round = 0; round < ROUNDS; round++) {
      long a = (c[0] & 0xffffffffL) * 0xd2511f53L;
      long b = (c[2] & 0xffffffffL) * 0xcd9e8d57L;
      c[0] = (int) (b >>> 32) ^ c[1] ^ k0;
      c[1] = (int) b;
      c[2] = (int) (a >>> 32) ^ c[3] ^ k1;
      c[3] = (int) a;
      k0 += 0x9e3779b9;
      k1 += 0xbb67ae85;
    }
  }
}
