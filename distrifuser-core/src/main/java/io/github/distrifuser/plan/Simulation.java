package io.github.distrifuser.plan;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Plays the ranks' recorded steps against a device and a link. */
final class Simulation {
  private final List<RankRecording> recordings;
  private final List<StepRun> plan;
  private final double resumeSeconds;
  private final SharedCores cores;
  private final SimulatedNetwork network;
  private final List<Player> players = new ArrayList<>();
  private final Deque<Resume> resuming = new ArrayDeque<>();
  private double now;

  /**
   * A step to be played.
   *
   * @param recorded which recorded step it is like
   * @param times how many steps of the generation it stands for
   */
  record StepRun(int recorded, int times) {}

  private Simulation(
      Workload workload, List<RankRecording> recordings, DeviceModel device, LinkModel link) {
    this.recordings = recordings;
    this.plan = StepPlan.of(workload);
    this.resumeSeconds = device.resumeSeconds();
    this.cores = new SharedCores(device.concurrentRanks());
    this.network = new SimulatedNetwork(link, recordings.size());
    for (RankRecording r : recordings) {
      List<List<Segment>> steps = new ArrayList<>();
      for (List<RankEvent> events : r.steps()) {
        steps.add(Segment.of(events, device, workload.dtype()));
      }
      players.add(new Player(r.rank(), steps));
    }
  }

  /** Where a rank is. */
  private final class Player {
    final int rank;
    final List<List<Segment>> steps;
    final List<List<SimulatedNetwork.Operation>> posted = new ArrayList<>(); // by played step
    final double[] ends = new double[plan.size()];
    final double[] waits = new double[plan.size()];
    int step = -1;
    int segment;
    SimulatedNetwork.@Nullable Operation awaited;
    double waitingSince;

    Player(int rank, List<List<Segment>> steps) {
      this.rank = rank;
      this.steps = steps;
    }

    Segment current() {
      return steps.get(plan.get(step).recorded()).get(segment);
    }

    void nextStep() {
      step++;
      segment = 0;
      if (step < plan.size()) {
        posted.add(new ArrayList<>());
        cores.begin(rank, current().seconds());
      }
    }

    void nextSegment() {
      segment++;
      cores.begin(rank, current().seconds());
    }

    /** What was to be computed has been: posts, or waits, or ends the step. */
    void computed() {
      RankEvent e = current().then();
      if (e == null) {
        ends[step] = now;
        nextStep();
      } else if (e instanceof RankEvent.Post p) {
        posted.get(step).add(network.post(rank, p, now));
        nextSegment();
      } else if (e instanceof RankEvent.Await a) {
        SimulatedNetwork.Operation o = posted.get(step - a.stepsBack()).get(a.post());
        if (o.isDone()) {
          nextSegment();
        } else {
          awaited = o;
          waitingSince = now;
        }
      }
    }

    void done(SimulatedNetwork.Operation o) {
      if (o == awaited) {
        awaited = null;
        resuming.add(new Resume(now + resumeSeconds, this));
      }
    }

    void resume() {
      waits[step] += now - waitingSince;
      nextSegment();
    }
  }

  /**
   * A rank that goes on. All take equally long to do so, so that the first to wait is the first.
   */
  private record Resume(double time, Player player) {}

  /** Plays a generation. */
  static Prediction run(
      Workload workload, List<RankRecording> recordings, DeviceModel device, LinkModel link) {
    return new Simulation(workload, recordings, device, link).play();
  }

  private Prediction play() {
    players.forEach(Player::nextStep);
    while (true) {
      double computed = cores.nextEnd();
      double sent = network.nextEnd();
      double resumed = resuming.isEmpty() ? Double.POSITIVE_INFINITY : resuming.peek().time;
      double next = Math.min(resumed, Math.min(sent, computed));
      if (next == Double.POSITIVE_INFINITY) {
        break;
      }
      now = next;
      cores.advance(now);
      if (resumed == now) {
        resuming.remove().player.resume();
      } else if (sent == now) {
        SimulatedNetwork.Operation o = network.end();
        players.get(o.rank).done(o);
      } else {
        players.get(cores.end()).computed();
      }
    }
    for (Player p : players) {
      if (p.step < plan.size()) {
        throw new IllegalStateException(
            "rank " + p.rank + " waits in step " + p.step + " for what nobody sends");
      }
    }
    return prediction();
  }

  private Prediction prediction() {
    List<Double> seconds = new ArrayList<>();
    double[] waits = new double[players.size()];
    double[] bytes = new double[players.size()];
    int steps = 0;
    double before = 0;
    for (int i = 0; i < plan.size(); i++) {
      int at = i;
      StepRun run = plan.get(i);
      double end = players.stream().mapToDouble(p -> p.ends[at]).max().orElse(before);
      for (int k = 0; k < run.times(); k++) {
        seconds.add(end - before);
      }
      before = end;
      steps += run.times();
      for (int r = 0; r < waits.length; r++) {
        waits[r] += run.times() * players.get(r).waits[i];
        bytes[r] += run.times() * (double) recordings.get(r).bytesSent(run.recorded());
      }
    }
    List<Prediction.RankCost> costs = new ArrayList<>();
    for (int r = 0; r < waits.length; r++) {
      costs.add(
          new Prediction.RankCost(
              waits[r] / steps, bytes[r] / steps, recordings.get(r).peakBytes()));
    }
    double latency = seconds.stream().mapToDouble(Double::doubleValue).sum();
    return new Prediction(players.size(), latency, seconds, costs);
  }
}
