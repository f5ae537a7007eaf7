/**
 * Ranks as processes, on any hosts: each is connected with every other over TCP, on Netty.
 *
 * <p>Rank 0 listens on the master's address while the ranks find each other, and the others on the
 * interface over which they reach it. Before anything else is read, both ends of a connection prove
 * that they know the run's secret, which is never sent; whoever doesn't is dropped. What follows is
 * neither encrypted nor signed: the network is trusted not to tamper with it.
 *
 * <p>A rank has one thread here, its event loop, on which connections are served, messages meet
 * their receives and sums are taken. It also sends the signs of life, so a rank that computes for
 * long is not taken for one that hangs.
 */
@NullMarked
package io.github.distrifuser.comm.tcp;

import org.jspecify.annotations.NullMarked;
