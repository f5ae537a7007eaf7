package io.github.distrifuser.comm.local;

/** What a message between ranks of one JVM carries, and how that gets to the other rank. */
public interface Parcel {
  /** Bytes. */
  long length();

  /**
   * Carries this rank's parcel to another's, of the same length. Called once both have posted, by
   * the thread that posted second; what is not done when it returns is the parcels' own affair.
   */
  void travelTo(Parcel receiver);
}
