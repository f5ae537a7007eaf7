package io.github.distrifuser.comm.local;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Work;
import java.util.List;

/**
 * A communicator between ranks of one JVM that also exchanges what is not in host memory: the
 * parcels know how they travel.
 */
public interface ParcelExchange extends Communicator {

  /**
   * One message of an exchange.
   *
   * @param peer rank within the communicator
   * @param send true to send the parcel, false to receive into it
   * @param tag pairs a send with its receive, as in {@link io.github.distrifuser.comm.Transfer}
   */
  record Message(int peer, boolean send, int tag, Parcel parcel) {}

  /** As {@link #exchange}; the work is done when all parcels have been told to travel. */
  Work exchangeParcels(List<Message> messages);
}
