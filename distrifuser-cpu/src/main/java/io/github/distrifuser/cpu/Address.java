package io.github.distrifuser.cpu;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** A native address as JavaCPP wants it, movable so that a call needs no new object. */
final class Address extends Pointer {

  Address() {}

  Address(long address) {
    this.address = address;
  }

  /** Points this object elsewhere. */
  Address at(long newAddress) {
    address = newAddress;
    return this;
  }

  /** Address of a direct buffer's current position. */
  static long of(java.nio.Buffer buffer) {
    return getDirectBufferAddress(buffer) + buffer.position();
  }

  /** Native memory as a pointer to bytes. */
  static BytePointer bytes(long address, long size) {
    return new BytePointer(new Address(address)).capacity(size);
  }
}
