package io.github.distrifuser.hub;

import io.github.distrifuser.comm.RankEnvironment;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where the hub and its cache are and who asks: the variables of Python's huggingface_hub, with the
 * same precedence.
 *
 * @param endpoint the hub's address, without a slash at its end (HF_ENDPOINT)
 * @param cache HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or
 *     ~/.cache/huggingface/hub
 * @param token HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the token file; null where there is none
 * @param offline whether the hub is not asked at all (HF_HUB_OFFLINE)
 * @param stall how long a connection may bring nothing before it is given up
 *     (HF_HUB_DOWNLOAD_TIMEOUT)
 * @param retryDelay pause before the first repetition of a request; each further one doubles it
 */
public record HubSettings(
    URI endpoint,
    Path cache,
    @Nullable String token,
    boolean offline,
    Duration stall,
    Duration retryDelay) {
  private static final String DEFAULT_ENDPOINT = "https://huggingface.co";
  private static final int DEFAULT_STALL_SECONDS = 10;
  private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
  private static final Pattern VARIABLE = Pattern.compile("\\$(?:\\{(\\w+)}|(\\w+))");

  public HubSettings {
    String scheme = endpoint.getScheme();
    if (endpoint.getHost() == null
        || !("https".equalsIgnoreCase(scheme) || "http".equalsIgnoreCase(scheme))) {
      throw new IllegalArgumentException(
          "the hub's address (HF_ENDPOINT) must be a URL, found '" + endpoint + "'");
    }
    if (token != null && !token.chars().allMatch(c -> c > ' ' && c < 127)) {
      throw new IllegalArgumentException(
          "the hub's token (HF_TOKEN or the token file) holds characters that no token has");
    }
  }

  /**
   * Of this process's environment; the options come first.
   *
   * @throws IllegalArgumentException naming the variable that is wrong
   */
  public static HubSettings of(HubOptions options) {
    return of(options, System.getenv(), Path.of(System.getProperty("user.home", "")));
  }

  static HubSettings of(HubOptions o, Map<String, String> env, Path home) {
    Path hfHome = hfHome(env, home);
    String endpoint = o.endpoint() != null ? o.endpoint() : get(env, "HF_ENDPOINT");
    Path cache = o.cacheDir() != null ? o.cacheDir() : cache(env, home, hfHome);
    String token = o.token() != null ? o.token() : token(env, home, hfHome);
    boolean offline =
        o.localFilesOnly() || isTrue(env, "HF_HUB_OFFLINE") || isTrue(env, "TRANSFORMERS_OFFLINE");
    return new HubSettings(
        uri(endpoint == null ? DEFAULT_ENDPOINT : endpoint),
        cache.toAbsolutePath().normalize(),
        token,
        offline,
        Duration.ofSeconds(
            RankEnvironment.positive(
                env,
                "HF_HUB_DOWNLOAD_TIMEOUT",
                "a positive number of seconds",
                DEFAULT_STALL_SECONDS)),
        Duration.ofSeconds(1));
  }

  private static URI uri(String endpoint) {
    try {
      return URI.create(endpoint.replaceAll("/+$", ""));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "the hub's address (HF_ENDPOINT) must be a URL, found '" + endpoint + "'", e);
    }
  }

  private static Path hfHome(Map<String, String> env, Path home) {
    String own = get(env, "HF_HOME");
    if (own != null) {
      return path(own, env, home);
    }
    String xdg = get(env, "XDG_CACHE_HOME");
    Path caches = xdg != null ? path(xdg, env, home) : home.resolve(".cache");
    return caches.resolve("huggingface");
  }

  private static Path cache(Map<String, String> env, Path home, Path hfHome) {
    for (String name : new String[] {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
      String value = get(env, name);
      if (value != null) {
        return path(value, env, home);
      }
    }
    return hfHome.resolve("hub");
  }

  private static @Nullable String token(Map<String, String> env, Path home, Path hfHome) {
    if (isTrue(env, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
      return null;
    }
    for (String name : new String[] {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
      String value = get(env, name);
      if (value != null && !value.isBlank()) {
        return value.strip();
      }
    }
    String at = get(env, "HF_TOKEN_PATH");
    Path file = at != null ? path(at, env, home) : hfHome.resolve("token");
    if (!Files.isRegularFile(file)) {
      return null;
    }
    try {
      String value = Files.readString(file).strip();
      return value.isEmpty() ? null : value;
    } catch (IOException e) {
      throw new HubException(
          HubException.Reason.BAD_TOKEN,
          "the hub's token file " + file + " cannot be read: " + e,
          e);
    }
  }

  /** Python's expanduser and expandvars. */
  private static Path path(String value, Map<String, String> env, Path home) {
    Matcher m = VARIABLE.matcher(value);
    String expanded =
        m.replaceAll(
            r -> {
              String name = r.group(1) != null ? r.group(1) : r.group(2);
              return Matcher.quoteReplacement(env.getOrDefault(name, r.group()));
            });
    if (expanded.equals("~")) {
      return home;
    }
    return expanded.startsWith("~/") ? home.resolve(expanded.substring(2)) : Path.of(expanded);
  }

  private static @Nullable String get(Map<String, String> env, String name) {
    String value = env.get(name);
    return value == null || value.isEmpty() ? null : value;
  }

  private static boolean isTrue(Map<String, String> env, String name) {
    String value = get(env, name);
    return value != null && TRUE.contains(value.toUpperCase(Locale.ROOT));
  }

  /** Without the token. */
  @Override
  public String toString() {
    return "HubSettings[endpoint=%s, cache=%s, token=%s, offline=%s]"
        .formatted(endpoint, cache, token == null ? "null" : "(given)", offline);
  }
}
