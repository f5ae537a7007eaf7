package io.github.distrifuser.schedulers;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Builds schedulers from configurations as diffusers writes them. */
public final class Schedulers {
  private static final Logger LOG = LoggerFactory.getLogger(Schedulers.class);

  /** What a configuration is to Jackson. */
  static final TypeReference<LinkedHashMap<String, @Nullable Object>> CONFIG_TYPE =
      new TypeReference<>() {};

  private Schedulers() {}

  /**
   * Reads a {@code scheduler_config.json}, in which diffusers may have written {@code -Infinity}.
   *
   * @throws IOException if there is no such file, or it is no JSON object
   */
  public static Map<String, @Nullable Object> readConfig(Path file) throws IOException {
    JsonMapper json =
        JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();
    String text = Files.readString(file);
    try {
      return json.readValue(text, CONFIG_TYPE);
    } catch (JsonProcessingException e) {
      throw new IOException(file + ": not a scheduler configuration: " + e.getOriginalMessage(), e);
    }
  }

  /**
   * The scheduler that a configuration's {@code _class_name} names. Keys that only other schedulers
   * know are left aside, as in diffusers; a key that none knows is warned of.
   *
   * @throws IllegalArgumentException if the class or a value is unknown
   */
  public static Scheduler fromConfig(Map<String, ? extends @Nullable Object> config) {
    Object name = config.get("_class_name");
    if (!(name instanceof String s)) {
      throw new IllegalArgumentException(
          "scheduler configuration: _class_name is missing, found keys " + config.keySet());
    }
    return fromConfig(SchedulerKind.ofClassName(s), config);
  }

  /**
   * A scheduler of this kind with the configuration of another, as diffusers' {@code
   * Kind.from_config(other.config)}: keys that the kind knows are taken, the rest are its defaults.
   *
   * @param config content of a {@code scheduler_config.json} or {@link SchedulerConfig#given()}
   * @throws IllegalArgumentException if a value is unknown to this kind
   */
  public static Scheduler fromConfig(
      SchedulerKind kind, Map<String, ? extends @Nullable Object> config) {
    if (kind == SchedulerKind.DEFAULT) {
      return fromConfig(config);
    }
    Scheduler scheduler = kind.build(new LinkedHashMap<>(config));
    Set<String> unknown = new TreeSet<>(config.keySet());
    unknown.removeIf(k -> k.startsWith("_") || scheduler.config().values().containsKey(k));
    if (!unknown.isEmpty()) {
      unknown.removeAll(KnownKeys.ALL);
    }
    if (!unknown.isEmpty()) {
      LOG.warn("{}: no scheduler knows the configured {}", kind.className(), unknown);
    }
    return scheduler;
  }

  /** Keys of all schedulers, found on first use. */
  private static final class KnownKeys {
    static final Set<String> ALL =
        Stream.of(SchedulerKind.values())
            .filter(k -> k != SchedulerKind.DEFAULT)
            .flatMap(k -> k.build(Map.of()).config().values().keySet().stream())
            .collect(Collectors.toUnmodifiableSet());
  }
}
