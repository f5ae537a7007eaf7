package io.github.distrifuser.comm.tcp;

import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/** Something on its way out, frame by frame. Used on the event loop. */
interface Outgoing {

  /** Whether it may overtake what is not. It is one frame then. */
  boolean isSmall();

  /** What it belongs to, if anything. */
  @Nullable TcpWork work();

  /**
   * Writes the next frame. True when it was the last.
   *
   * @param lost run where it could not be written
   */
  boolean writeNext(Channel channel, Runnable lost);
}
