package io.github.distrifuser.comm;

/** What a test does on each rank. */
@FunctionalInterface
public interface RankProgram {
  void run(Communicator world) throws Exception;
}
