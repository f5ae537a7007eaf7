package io.github.distrifuser.comm;

/**
 * What every communicator must do. A communicator's test extends this and starts a world:
 *
 * <pre>{@code
 * class MyCommunicatorTest extends CommunicatorSuite {
 *   @Override
 *   public void run(int ranks, RankProgram program) {
 *     RankThreads.run(MyCommunicators.connect(ranks), program);
 *   }
 * }
 * }</pre>
 */
public abstract class CommunicatorSuite
    implements ExchangeCases, CollectiveCases, GroupCases, FailureCases, StressCases {}
