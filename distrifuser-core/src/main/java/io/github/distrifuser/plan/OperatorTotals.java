package io.github.distrifuser.plan;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Multiply-accumulates of a rank's first step, by kind of layer. */
public final class OperatorTotals {
  private final Map<OperatorKind, Long> macs = new EnumMap<>(OperatorKind.class);
  private final Map<OperatorKind, Integer> calls = new EnumMap<>(OperatorKind.class);

  private OperatorTotals() {}

  /** Those of the first step, in which the prompt's keys and values are made. */
  public static OperatorTotals of(RankRecording recording) {
    OperatorTotals t = new OperatorTotals();
    for (Operator o : recording.operators(0)) {
      if (o.macs() > 0) {
        t.macs.merge(o.kind(), o.macs(), Long::sum);
        t.calls.merge(o.kind(), 1, Integer::sum);
      }
    }
    return t;
  }

  /** Kinds that multiply. */
  public List<OperatorKind> kinds() {
    return List.copyOf(macs.keySet());
  }

  /** All kinds together. */
  public long macs() {
    return macs.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Of one kind; 0 where there is none. */
  public long macs(OperatorKind kind) {
    return macs.getOrDefault(kind, 0L);
  }

  /** Operators of a kind; 0 where there is none. */
  public int calls(OperatorKind kind) {
    return calls.getOrDefault(kind, 0);
  }
}
