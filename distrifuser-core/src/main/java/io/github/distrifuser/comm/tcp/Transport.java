package io.github.distrifuser.comm.tcp;

import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.FastThreadLocalThread;

/** The kinds of channels: epoll's where its library loads, else Java's own. */
record Transport(
    IoHandlerFactory handler,
    Class<? extends SocketChannel> channel,
    Class<? extends ServerSocketChannel> serverChannel) {

  static Transport choose() {
    if (Epoll.isAvailable()) {
      return new Transport(
          EpollIoHandler.newFactory(), EpollSocketChannel.class, EpollServerSocketChannel.class);
    }
    return new Transport(
        NioIoHandler.newFactory(), NioSocketChannel.class, NioServerSocketChannel.class);
  }

  /** A loop with a thread of its own, which keeps no JVM alive. */
  EventLoop loop(int rank) {
    return new SingleThreadIoEventLoop(
        null,
        task -> {
          Thread thread = new FastThreadLocalThread(task, "distrifuser-comm-" + rank);
          thread.setDaemon(true);
          return thread;
        },
        handler);
  }
}
