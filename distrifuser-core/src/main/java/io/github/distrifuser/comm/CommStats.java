package io.github.distrifuser.comm;

/**
 * What a rank has sent and how long it has waited since it started.
 *
 * @param bytesSent payload bytes handed to other ranks (headers not counted)
 * @param messagesSent number of messages
 * @param waitNanos time spent blocked in {@link Work#await} and in blocking calls, in ns
 */
public record CommStats(long bytesSent, long messagesSent, long waitNanos) {}
