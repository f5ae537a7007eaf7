package io.github.distrifuser.cuda;

import org.bytedeco.javacpp.Pointer;

/** A pointer to any address, to be used again. It owns nothing. */
public final class Address extends Pointer {
  public Address() {
    super((Pointer) null);
  }

  /** This, at another address. */
  public Address of(long newAddress) {
    address = newAddress;
    return this;
  }

  /** A new one. */
  public static Address at(long address) {
    return new Address().of(address);
  }

  /** The largest power of two up to 256 that divides all of these addresses. */
  static int alignment(long... addresses) {
    long all = 256;
    for (long a : addresses) {
      all |= a;
    }
    return (int) Long.lowestOneBit(all);
  }
}
