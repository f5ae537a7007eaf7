package io.github.distrifuser.launch;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.trace.Timeline.Event;
import io.github.distrifuser.trace.Timeline.Track;
import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Writes what all ranks did as a Chrome trace: a process a rank, a thread a track. */
final class RunTraces {
  private static final JsonMapper JSON = new JsonMapper();

  private RunTraces() {}

  /** Gathers the ranks' timelines, and writes them on rank 0; called by all ranks. */
  static void write(Path file, DistriPipeline pipeline) {
    List<Event> mine = pipeline.timeline();
    pipeline.communicator().barrier(); // whose end is the same moment on all hosts, nearly
    long now = System.nanoTime();
    List<Event> relative = mine.stream().map(e -> moved(e, -now)).toList();
    try {
      List<byte[]> gathered =
          pipeline.communicator().allGatherBytes(JSON.writeValueAsBytes(relative));
      if (pipeline.rank() != 0) {
        return;
      }
      List<Event> all = new ArrayList<>();
      for (byte[] b : gathered) {
        all.addAll(JSON.readValue(b, new TypeReference<List<Event>>() {}));
      }
      AtomicFiles.write(file, JSON.writeValueAsBytes(chrome(all)));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + e.getMessage(), e);
    }
  }

  private static Event moved(Event e, long by) {
    return new Event(e.rank(), e.track(), e.name(), e.beginNanos() + by, e.endNanos() + by);
  }

  /** The trace event format: times in microseconds from the first event. */
  static ObjectNode chrome(List<Event> events) {
    long first = events.stream().mapToLong(Event::beginNanos).min().orElse(0);
    Set<Integer> ranks =
        events.stream().map(Event::rank).collect(Collectors.toCollection(TreeSet::new));
    ObjectNode trace = JSON.createObjectNode();
    ArrayNode list = trace.putArray("traceEvents");
    for (int rank : ranks) {
      name(list, "process_name", rank, 0, "rank " + rank);
      for (Track t : Track.values()) {
        name(list, "thread_name", rank, t.ordinal(), t.name().toLowerCase(Locale.ROOT));
      }
      List<Event> own = events.stream().filter(e -> e.rank() == rank).toList();
      List<Event> waits =
          own.stream()
              .filter(e -> e.track() == Track.WAIT)
              .sorted(Comparator.comparingLong(Event::beginNanos))
              .toList();
      for (Event e : own) {
        for (Event piece : e.track() == Track.COMPUTE ? without(e, waits) : List.of(e)) {
          ObjectNode n = list.addObject();
          n.put("name", piece.name());
          n.put("ph", "X");
          n.put("pid", rank);
          n.put("tid", piece.track().ordinal());
          n.put("ts", (piece.beginNanos() - first) / 1000.0);
          n.put("dur", (piece.endNanos() - piece.beginNanos()) / 1000.0);
        }
      }
    }
    trace.put("displayTimeUnit", "ms");
    return trace;
  }

  private static void name(ArrayNode list, String what, int rank, int track, String name) {
    ObjectNode n = list.addObject();
    n.put("name", what);
    n.put("ph", "M");
    n.put("pid", rank);
    n.put("tid", track);
    n.putObject("args").put("name", name);
  }

  /** A step's pieces between the waits, which are in order. */
  static List<Event> without(Event step, List<Event> waits) {
    List<Event> pieces = new ArrayList<>();
    long at = step.beginNanos();
    for (Event w : waits) {
      if (w.endNanos() <= at || w.beginNanos() >= step.endNanos()) {
        continue;
      }
      if (w.beginNanos() > at) {
        pieces.add(new Event(step.rank(), step.track(), step.name(), at, w.beginNanos()));
      }
      at = w.endNanos();
    }
    if (at < step.endNanos()) {
      pieces.add(new Event(step.rank(), step.track(), step.name(), at, step.endNanos()));
    }
    return pieces;
  }
}
