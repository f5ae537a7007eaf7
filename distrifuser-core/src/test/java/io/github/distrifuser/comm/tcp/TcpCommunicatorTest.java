package io.github.distrifuser.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.CommunicatorSuite;
import io.github.distrifuser.comm.RankProgram;
import io.github.distrifuser.comm.RankThreads;
import java.util.List;

class TcpCommunicatorTest extends CommunicatorSuite {
  @Override
  public void run(int ranks, RankProgram program) {
    List<Communicator> world = TcpWorlds.open(ranks);
    RankThreads.run(world, program);
    assertEquals(List.of(), TcpWorlds.loops());
  }
}
