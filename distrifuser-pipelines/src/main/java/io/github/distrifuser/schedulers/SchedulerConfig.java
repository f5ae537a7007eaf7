package io.github.distrifuser.schedulers;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A scheduler's configuration: what the caller gave, and what the scheduler made of it. Upstream:
 * {@code ConfigMixin}.
 *
 * <p>A value that is absent takes diffusers' default. One that has the wrong type, or that no
 * implementation here knows, is an {@link IllegalArgumentException} that names scheduler, key and
 * choices.
 */
public final class SchedulerConfig {
  private final String className;
  private final Map<String, @Nullable Object> given;
  private final Map<String, @Nullable Object> values = new LinkedHashMap<>();

  /**
   * @param className diffusers' class, as in {@code DDIMScheduler}
   * @param given content of a {@code scheduler_config.json}, perhaps of another class
   */
  SchedulerConfig(String className, Map<String, ? extends @Nullable Object> given) {
    this.className = className;
    Map<String, @Nullable Object> copy = new LinkedHashMap<>(given);
    copy.put("_class_name", className);
    this.given = Collections.unmodifiableMap(copy);
  }

  /** The scheduler's class in diffusers. */
  public String className() {
    return className;
  }

  /**
   * The configuration as it was given, with this class's name: also keys that only other schedulers
   * know, so that {@link Schedulers#fromConfig(SchedulerKind, Map)} can build those from it.
   */
  public Map<String, @Nullable Object> given() {
    return given;
  }

  /** Every key that this scheduler knows, with the value in force. */
  public Map<String, @Nullable Object> values() {
    return Collections.unmodifiableMap(values);
  }

  /** Number of noise levels that the model was trained with. */
  public int numTrainTimesteps() {
    Object n = values.get("num_train_timesteps");
    if (n instanceof Integer i) {
      return i;
    }
    throw new IllegalStateException(className + " has read no num_train_timesteps");
  }

  int integer(String key, int absent) {
    double d = number(key, absent);
    if (d != Math.rint(d) || Math.abs(d) > Integer.MAX_VALUE) {
      throw error(key + ": expected a whole number, found " + d);
    }
    values.put(key, (int) d);
    return (int) d;
  }

  double number(String key, double absent) {
    if (!given.containsKey(key)) {
      values.put(key, absent);
      return absent;
    }
    Double d = optionalNumber(key);
    if (d == null) {
      throw error(key + ": expected a number, found null");
    }
    return d;
  }

  /** A number that may be absent or null. */
  @Nullable Double optionalNumber(String key) {
    Object v = given.get(key);
    Double d = v == null ? null : toNumber(key, v);
    values.put(key, d);
    return d;
  }

  /** A list of numbers that may be absent or null. */
  double @Nullable [] optionalNumbers(String key) {
    Object v = given.get(key);
    values.put(key, v);
    if (v == null) {
      return null;
    }
    if (!(v instanceof List<?> list)) {
      throw error(key + ": expected a list of numbers, found " + v);
    }
    double[] out = new double[list.size()];
    for (int i = 0; i < out.length; i++) {
      Object e = list.get(i);
      if (!(e instanceof Number n)) {
        throw error(key + "[" + i + "]: expected a number, found " + e);
      }
      out[i] = n.doubleValue();
    }
    return out;
  }

  /** A boolean; null counts as false, as in Python. */
  boolean flag(String key, boolean absent) {
    Object v = given.containsKey(key) ? given.get(key) : Boolean.valueOf(absent);
    if (v == null) {
      v = Boolean.FALSE;
    }
    if (!(v instanceof Boolean b)) {
      throw error(key + ": expected true or false, found " + v);
    }
    values.put(key, b);
    return b;
  }

  /**
   * One of a closed set, by its spelling in configurations.
   *
   * @param allowed what this scheduler implements
   * @param others spellings that stand for one of those
   */
  <E extends Enum<E>> E choice(String key, E absent, Set<E> allowed, Map<String, E> others) {
    Object v = given.containsKey(key) ? given.get(key) : absent.toString();
    E chosen = v instanceof String s ? others.get(s) : null;
    for (E e : allowed) {
      if (e.toString().equals(v)) {
        chosen = e;
      }
    }
    if (chosen == null) {
      throw error(
          key
              + ": '"
              + v
              + "' is not known, choose from "
              + allowed.stream().map(Object::toString).collect(Collectors.joining(", ")));
    }
    values.put(key, chosen.toString());
    return chosen;
  }

  <E extends Enum<E>> E choice(String key, E absent, Set<E> allowed) {
    return choice(key, absent, allowed, Map.of());
  }

  /** A string that may be absent or null. */
  @Nullable String text(String key, @Nullable String absent) {
    Object v = given.containsKey(key) ? given.get(key) : absent;
    if (v != null && !(v instanceof String)) {
      throw error(key + ": expected a string, found " + v);
    }
    values.put(key, v);
    return (String) v;
  }

  /** Refuses a feature of diffusers that is not implemented, unless it is left at its default. */
  void refuse(String key, @Nullable Object absent) {
    Object v = given.containsKey(key) ? given.get(key) : absent;
    boolean off = v == null || v.equals(absent) || v instanceof List<?> l && l.isEmpty();
    if (!off) {
      throw error(key + ": " + v + " is not implemented, only " + absent);
    }
    values.put(key, absent);
  }

  IllegalArgumentException error(String what) {
    return new IllegalArgumentException(className + ": " + what);
  }

  /** JSON has no infinity: diffusers writes -Infinity, other writers a string. */
  private double toNumber(String key, Object v) {
    if (v instanceof Number n) {
      return n.doubleValue();
    }
    if (v instanceof String s) {
      switch (s.toLowerCase(Locale.ROOT)) {
        case "-infinity", "-inf" -> {
          return Double.NEGATIVE_INFINITY;
        }
        case "infinity", "inf" -> {
          return Double.POSITIVE_INFINITY;
        }
        default -> {}
      }
    }
    throw error(key + ": expected a number, found " + v);
  }
}
