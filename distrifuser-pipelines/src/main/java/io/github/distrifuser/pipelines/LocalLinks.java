package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.trace.Timeline;
import io.github.distrifuser.trace.TracedCommunicator;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The communicators of ranks that are threads, for their backends' tensors. Each rank makes and
 * closes its own on its own thread; until then it has the hosts' communicator.
 */
final class LocalLinks implements AutoCloseable {
  private final List<Backend> backends;
  private final List<Communicator> hosts;
  private final @Nullable Timeline timeline;
  private final AtomicReferenceArray<Communicator> links;

  LocalLinks(List<Backend> backends, List<Communicator> hosts, @Nullable Timeline timeline) {
    this.backends = backends;
    this.hosts = hosts;
    this.timeline = timeline;
    this.links = new AtomicReferenceArray<>(hosts.toArray(Communicator[]::new));
  }

  /** A rank's communicator. */
  Communicator get(int rank) {
    return Objects.requireNonNull(links.get(rank));
  }

  /** All ranks', in rank order. */
  List<Communicator> all() {
    List<Communicator> all = new ArrayList<>();
    for (int r = 0; r < links.length(); r++) {
      all.add(get(r));
    }
    return all;
  }

  /** Connects a rank with the others, which do the same. */
  Communicator link(int rank) {
    Communicator host = hosts.get(rank);
    Communicator linked = backends.get(rank).communicator(host);
    Communicator c = timeline == null ? linked : new TracedCommunicator(linked, timeline);
    links.set(rank, c);
    return c;
  }

  /** Leaves the others, who do the same; the hosts' communicator stays open. */
  void unlink(int rank) {
    Communicator c = links.getAndSet(rank, hosts.get(rank));
    if (c != hosts.get(rank)) {
      c.close();
    }
  }

  /** Closes what ranks have not closed themselves, because they failed. */
  @Override
  public void close() {
    for (int r = 0; r < links.length(); r++) {
      unlink(r);
    }
  }
}
