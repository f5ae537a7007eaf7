package io.github.distrifuser.comm.tcp;

/**
 * A posted receive.
 *
 * @param work what it belongs to
 * @param done run when the message is there
 */
record Receive(MessageKey key, Operation operation, Sink sink, TcpWork work, Runnable done) {}
