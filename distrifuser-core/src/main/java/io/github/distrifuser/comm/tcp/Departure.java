package io.github.distrifuser.comm.tcp;

import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/** This rank's leaving of a group, on its way out behind all that it has sent there. */
record Departure(long group) implements Outgoing {
  @Override
  public boolean isSmall() {
    return false;
  }

  @Override
  public @Nullable TcpWork work() {
    return null;
  }

  @Override
  public boolean writeNext(Channel channel, Runnable lost) {
    channel.write(Frames.leave(group), channel.voidPromise());
    return true;
  }
}
