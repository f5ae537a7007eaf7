package io.github.distrifuser.parallel;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What a rank sends in one step, in the order in which layers post it: data that drives buffers,
 * batching, byte counts and simulations. Fixed for a shape and topology.
 */
public final class ExchangePlan {

  /**
   * One layer's sending.
   *
   * @param layer state-dict key of the layer
   * @param kind what is sent
   * @param slot number of the layer's slot, which tags its messages
   * @param bytes payload to each receiver, one entry a message
   * @param peers receivers' numbers within the group, one a message
   */
  public record Entry(
      String layer, ExchangeKind kind, int slot, List<Long> bytes, List<Integer> peers) {
    public Entry {
      bytes = List.copyOf(bytes);
      peers = List.copyOf(peers);
    }

    /** Payload of all its messages. */
    public long totalBytes() {
      return bytes.stream().mapToLong(Long::longValue).sum();
    }
  }

  private final List<Entry> entries = new ArrayList<>();

  /** Adds the next layer's entry; its slot number is the entry's place. */
  public Entry add(String layer, ExchangeKind kind, List<Long> bytes, List<Integer> peers) {
    Entry e = new Entry(layer, kind, entries.size(), bytes, peers);
    entries.add(e);
    return e;
  }

  public List<Entry> entries() {
    return Collections.unmodifiableList(entries);
  }

  /** Bytes that this rank sends in a step in which everything is exchanged, by kind. */
  public Map<ExchangeKind, Long> bytesByKind() {
    Map<ExchangeKind, Long> sums = new EnumMap<>(ExchangeKind.class);
    for (Entry e : entries) {
      sums.merge(e.kind(), e.totalBytes(), Long::sum);
    }
    return sums;
  }

  /** Forgets all entries, for another shape. */
  public void clear() {
    entries.clear();
  }
}
