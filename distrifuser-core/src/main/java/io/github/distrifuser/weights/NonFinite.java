package io.github.distrifuser.weights;

import java.nio.ByteBuffer;

/** Finds NaN and infinity eight bytes at a time. */
final class NonFinite {
  private static final int BLOCK = 64;

  private NonFinite() {}

  /**
   * Index of the first element whose exponent bits are all set, or -1. Adding the exponent's lowest
   * bit to the exponent bits carries into the sign bit just then, and never beyond it, so that the
   * elements in one long don't disturb each other.
   *
   * @param data little-endian
   * @param size bytes of an element
   * @param exponent the exponent bits of every element in a long
   * @param lowest the lowest exponent bit of every element in a long
   */
  static long first(ByteBuffer data, int size, long exponent, long lowest) {
    long sign = exponent + lowest; // all ones plus one: the bit above
    int bytes = data.limit();
    int at = 0;
    for (; at <= bytes - BLOCK; at += BLOCK) {
      long hit = 0;
      for (int i = 0; i < BLOCK; i += 8) {
        hit |= (data.getLong(at + i) & exponent) + lowest;
      }
      if ((hit & sign) != 0) {
        break;
      }
    }
    for (; at < bytes; at += size) {
      if ((((element(data, at, size) & exponent) + lowest) & sign & mask(size)) != 0) {
        return at / size;
      }
    }
    return -1;
  }

  private static long mask(int size) {
    return size == 8 ? -1L : (1L << (8 * size)) - 1;
  }

  private static long element(ByteBuffer data, int at, int size) {
    return switch (size) {
      case 2 -> data.getShort(at) & 0xffffL;
      case 4 -> data.getInt(at) & 0xffffffffL;
      default -> data.getLong(at);
    };
  }
}
