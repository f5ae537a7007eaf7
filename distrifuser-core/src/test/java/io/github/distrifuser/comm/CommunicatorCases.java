package io.github.distrifuser.comm;

/** What a group of cases stands on. */
public interface CommunicatorCases {

  /** Runs a program on each rank of a new world, each on a thread of its own. */
  void run(int ranks, RankProgram program);

  /** What a test does on each rank, with tensors. */
  @FunctionalInterface
  interface Program {
    void run(TestRank me) throws Exception;
  }

  /** As {@link #run}, each rank with a backend of its own. */
  default void onRanks(int ranks, Program program) {
    run(
        ranks,
        world -> {
          try (TestRank me = new TestRank(world)) {
            program.run(me);
          }
        });
  }
}
