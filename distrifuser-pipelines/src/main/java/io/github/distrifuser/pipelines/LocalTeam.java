package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.local.LocalCommunicators;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.parallel.LocalRanksDenoiser;
import io.github.distrifuser.trace.Timeline;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * Ranks that are threads of this process: a backend each, one set of weights, and a communicator
 * that is made anew after a failure.
 */
final class LocalTeam implements AutoCloseable {
  private final List<Backend> backends = new ArrayList<>();
  private final @Nullable Timeline timeline;
  private final BiFunction<Backend, Communicator, Denoiser> maker;
  private @Nullable LocalCommunicators world;
  private @Nullable LocalLinks links;
  private @Nullable LocalRanksDenoiser denoiser;

  LocalTeam(
      RankPlan plan,
      RankSetup setup,
      @Nullable Timeline timeline,
      BiFunction<Backend, Communicator, Denoiser> maker) {
    this.timeline = timeline;
    this.maker = maker;
    for (int i = 0; i < plan.threads(); i++) {
      backends.add(setup.backend(i, plan.threadsPerRank()));
    }
  }

  int threadsPerRank() {
    return backends.get(0).threads();
  }

  /** Each rank's communicator. */
  List<Communicator> communicators() {
    LocalLinks l = links;
    return l == null ? List.of() : l.all();
  }

  /** The denoiser; a new one on new communicators where the last one failed. */
  Denoiser denoiser() {
    LocalRanksDenoiser d = denoiser;
    if (d != null && !d.isFailed()) {
      return d;
    }
    release();
    LocalCommunicators w = LocalCommunicators.create(backends.size());
    world = w;
    links = new LocalLinks(backends, w.ranks(), timeline);
    LocalLinks l = links;
    d =
        new LocalRanksDenoiser(
            backends.size(),
            new LocalRanksDenoiser.Maker() {
              @Override
              public Denoiser make(int rank) {
                return maker.apply(backends.get(rank), l.link(rank));
              }

              @Override
              public void release(int rank) {
                l.unlink(rank);
              }
            },
            (r, cause) -> l.get(r).abort(String.valueOf(cause.getMessage())));
    denoiser = d;
    return d;
  }

  private void release() {
    List<AutoCloseable> parts = new ArrayList<>();
    parts.add(denoiser);
    parts.add(links);
    parts.add(world);
    denoiser = null;
    links = null;
    world = null;
    Closing.all(parts);
  }

  @Override
  public void close() {
    List<AutoCloseable> parts = new ArrayList<>();
    parts.add(this::release);
    parts.addAll(backends);
    Closing.all(parts);
  }
}
