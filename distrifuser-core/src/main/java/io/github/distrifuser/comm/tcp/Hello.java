package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Map;

/**
 * What a rank says of itself when it connects.
 *
 * @param host address of its listener
 * @param port of its listener
 * @param fingerprint what all ranks must agree on
 */
record Hello(int rank, int worldSize, String host, int port, Map<String, String> fingerprint) {

  ByteBuf frame() {
    ByteBuf body = Unpooled.buffer().writeInt(rank).writeInt(worldSize).writeInt(port);
    Frames.text(body, host);
    return Frames.control(Frames.HELLO, Frames.map(body, fingerprint));
  }

  /**
   * Reads a frame's body.
   *
   * @throws IndexOutOfBoundsException where it is too short
   */
  static Hello read(ByteBuf body) {
    int rank = body.readInt();
    int worldSize = body.readInt();
    int port = body.readInt();
    String host = Frames.text(body);
    return new Hello(rank, worldSize, host, port, Frames.map(body));
  }
}
