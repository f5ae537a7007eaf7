package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.plan.RankEvent.Await;
import io.github.distrifuser.plan.RankEvent.Compute;
import io.github.distrifuser.plan.RankEvent.Message;
import io.github.distrifuser.plan.RankEvent.Post;
import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Lists of events whose times can be told by hand: an operator of m multiplications takes m s. */
class SimulationTest {
  private static final LinkModel LINK = new LinkModel("test", 10, 0.5, 0, true);
  private static final List<Integer> PAIR = List.of(0, 1);
  private static final double EPS = 1e-9;

  private record Device(double concurrentRanks, double resumeSeconds) implements DeviceModel {
    @Override
    public String name() {
      return "test";
    }

    @Override
    public double seconds(Operator o, DType dtype) {
      return o.macs();
    }

    @Override
    public double seconds(Post p) {
      return 0;
    }
  }

  private static final Device OWN = new Device(Double.POSITIVE_INFINITY, 0);

  private static RankEvent compute(long seconds) {
    return new Compute(new Operator(OperatorKind.LINEAR, "x", seconds, 0));
  }

  private static Post exchange(int peer, long sent, long received) {
    return new Post(
        PAIR, List.of(new Message(peer, true, 0, sent), new Message(peer, false, 0, received)), 0);
  }

  /** A generation of so many steps, each of these events for one rank after the other. */
  @SafeVarargs
  private static Prediction play(int steps, DeviceModel d, LinkModel l, List<RankEvent>... ranks) {
    Workload w =
        new Workload(
            RecorderTest.workload(DistriConfig.builder(), 16).unet(),
            DistriConfig.builder().warmupSteps(0).build(),
            8,
            1,
            DType.F32,
            steps);
    List<RankRecording> all = new ArrayList<>();
    for (List<RankEvent> events : ranks) {
      all.add(
          new RankRecording(
              all.size(), Collections.nCopies(Workload.RECORDED, events), 100, all.size()));
    }
    return Simulation.run(w, all, d, l);
  }

  @Test
  void theFasterRankWaitsForTheSlower() {
    Prediction p =
        play(
            1,
            OWN,
            LINK,
            List.of(compute(2), exchange(1, 10, 20), new Await(0, 0), compute(1)),
            List.of(compute(5), exchange(0, 20, 10), new Await(0, 0), compute(1)));
    // 5 s, then 20 bytes at 10 a second, half a second of latency, 1 s
    assertEquals(8.5, p.latency(), EPS);
    assertEquals(5.5, p.perRank().get(0).waitSecondsPerStep(), EPS);
    assertEquals(2.5, p.perRank().get(1).waitSecondsPerStep(), EPS);
    assertEquals(20, p.bytesSentPerStep(), EPS);
    assertEquals(101, p.peakBytes());
  }

  @Test
  void whoHadToWaitTakesAWhileToGoOn() {
    Prediction p =
        play(
            1,
            new Device(Double.POSITIVE_INFINITY, 0.25),
            LINK,
            List.of(compute(2), exchange(1, 10, 20), new Await(0, 0), compute(9)),
            List.of(compute(2), exchange(0, 20, 10), compute(3), new Await(0, 0), compute(1)));
    // 2 s, 20 bytes at 10 a second, half a second of latency, a quarter to go on, 9 s
    assertEquals(13.75, p.latency(), EPS);
    assertEquals(2.75, p.perRank().get(0).waitSecondsPerStep(), EPS);
    assertEquals(0, p.perRank().get(1).waitSecondsPerStep(), EPS);
  }

  @Test
  void whoIsAboutToGoOnLeavesTheCoreToOthers() {
    Prediction p =
        play(
            1,
            new Device(1, 0.25),
            LINK,
            List.of(compute(2), exchange(1, 10, 20), new Await(0, 0), compute(1)),
            List.of(compute(2), exchange(0, 20, 10), compute(10), new Await(0, 0)));
    assertEquals(15, p.latency(), EPS, "all the work, for the core never rests");
    assertEquals(2.75, p.perRank().get(0).waitSecondsPerStep(), EPS);
  }

  @Test
  void whatIsPostedEarlyHidesBehindComputation() {
    Prediction p =
        play(
            1,
            OWN,
            LINK,
            List.of(compute(1), exchange(1, 20, 20), compute(5), new Await(0, 0)),
            List.of(compute(1), exchange(0, 20, 20), compute(5), new Await(0, 0)));
    assertEquals(6, p.latency(), EPS);
    assertEquals(0, p.waitSecondsPerStep(), EPS);
  }

  @Test
  void operationsOfAStreamRunOneAfterAnother() {
    List<RankEvent> first =
        List.of(exchange(1, 20, 20), exchange(1, 20, 20), new Await(0, 1), new Await(0, 0));
    List<RankEvent> second =
        List.of(exchange(0, 20, 20), exchange(0, 20, 20), new Await(0, 1), new Await(0, 0));
    assertEquals(5, play(1, OWN, LINK, first, second).latency(), EPS);
    LinkModel parallel = new LinkModel("test", 10, 0.5, 0, false);
    assertEquals(
        4.5, play(1, OWN, parallel, first, second).latency(), EPS, "they share the bandwidth");
  }

  @Test
  void sumsTakeAsLongAsARing() {
    Post sum = new Post(PAIR, List.of(), 40);
    Prediction p =
        play(
            2,
            OWN,
            LINK,
            List.of(compute(1), sum, new Await(0, 0)),
            List.of(compute(3), sum, new Await(0, 0)));
    assertEquals(2 * (3 + 4 + 0.5), p.latency(), EPS);
    assertEquals(40, p.bytesSentPerStep(), EPS);
  }

  @Test
  void ranksShareCores() {
    List<RankEvent> work = List.of(compute(3));
    assertEquals(3, play(1, new Device(2, 0), LINK, work, work).latency(), EPS);
    assertEquals(6, play(1, new Device(1, 0), LINK, work, work).latency(), EPS);
    // three on two cores: until the short one is through each runs at two thirds
    assertEquals(
        4, play(1, new Device(2, 0), LINK, List.of(compute(2)), work, work).latency(), EPS);
  }

  @Test
  void stepsThatRepeatAreCounted() {
    Prediction p = play(40, OWN, LINK, List.of(compute(2)));
    assertEquals(80, p.latency(), EPS);
    assertEquals(40, p.stepSeconds().size());
  }

  @Test
  void waitingForWhatNobodySendsIsAnError() {
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () ->
                play(
                    1,
                    OWN,
                    LINK,
                    List.of(exchange(1, 1, 1), new Await(0, 0)),
                    List.of(compute(1))));
    assertTrue(e.getMessage().contains("rank 0 waits"), e.getMessage());
  }

  /** What the parallel layers do decides: nothing here knows the modes. */
  @ParameterizedTest
  @CsvSource({"2", "4"})
  void overlapSavesWhatSynchronousStepsWaitFor(int n) {
    LinkModel slow = new LinkModel("slow", 1e7, 1e-3, 0, true);
    AcceleratorModel device = KnownDevice.A100.model();
    double none = predict(SyncMode.NO_SYNC, n, device, slow).latency();
    Prediction overlapped = predict(SyncMode.CORRECTED_ASYNC_GN, n, device, slow);
    Prediction synchronous = predict(SyncMode.FULL_SYNC, n, device, slow);
    assertTrue(none < overlapped.latency(), "messages take time");
    assertTrue(overlapped.latency() < synchronous.latency(), "overlap saves time");
    assertTrue(overlapped.waitSecondsPerStep() < synchronous.waitSecondsPerStep());
  }

  private static Prediction predict(SyncMode mode, int n, DeviceModel d, LinkModel l) {
    Workload w = RecorderTest.workload(DistriConfig.builder().mode(mode).splitBatch(false), 32);
    return new Planner(w).predict(n, d, l);
  }

  @Test
  void aDeviceIsFittedToWhatOneTook() {
    Planner planner = new Planner(RecorderTest.workload(DistriConfig.builder(), 16));
    AcceleratorModel fitted = planner.fit(KnownDevice.A100.model(), 2.5);
    assertEquals(2.5, planner.predict(1, fitted, LINK).latency(), 1e-6);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> planner.fit(KnownDevice.A100.model(), 1e-5));
    assertTrue(e.getMessage().contains("starting its operators alone"), e.getMessage());
  }
}
