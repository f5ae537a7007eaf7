package io.github.distrifuser.hub;

import io.github.distrifuser.hub.HubException.Reason;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Turns the hub's refusals into errors that say what to do. */
final class HubErrors {
  private static final Pattern RESET = Pattern.compile("(?:^|;)\\s*t=(\\d+)");

  private final HubSettings settings;

  HubErrors(HubSettings settings) {
    this.settings = settings;
  }

  /** Whether the same request may succeed a little later. */
  static boolean isPassing(int status) {
    return status == 408 || status == 429 || status == 500 || status >= 502 && status <= 504;
  }

  /**
   * An error for an answer that is neither a success nor a redirect.
   *
   * @param what the file that was asked for, or null for the repository itself
   */
  HubException of(HubId id, @Nullable String what, URI uri, int status, HttpHeaders headers) {
    String code = headers.firstValue("X-Error-Code").orElse("");
    String words = headers.firstValue("X-Error-Message").orElse("");
    String name = what == null ? id.toString() : id + ": " + what;
    switch (code) {
      case "GatedRepo":
        return new HubException(
            Reason.GATED_REPO,
            id.repo()
                + " is gated: accept its conditions at "
                + settings.endpoint()
                + "/"
                + id.repo()
                + " with your account, then "
                + (settings.token() == null
                    ? "say who you are: HF_TOKEN, or `hf auth login`"
                    : "use a token of that account; the one in use has no access"));
      case "RevisionNotFound":
        return new HubException(
            Reason.REVISION_NOT_FOUND,
            id.repo()
                + " has no revision '"
                + id.revision()
                + "': choose a branch, a tag or a commit of "
                + settings.endpoint()
                + "/"
                + id.repo());
      case "EntryNotFound":
        return new HubException(
            Reason.ENTRY_NOT_FOUND,
            what == null ? id + ": not found" : id + " has no file " + what);
      default:
        break;
    }
    if (status == 401 && words.startsWith("Invalid credentials")) {
      return new HubException(
          Reason.BAD_TOKEN,
          name
              + ": the hub does not accept the token: check HF_TOKEN or the token file, or log in"
              + " anew (`hf auth login`)");
    }
    if (code.equals("RepoNotFound") || status == 401 || status == 404) {
      return new HubException(
          Reason.REPO_NOT_FOUND,
          id.repo()
              + ": "
              + settings.endpoint()
              + " has no such model, or it is private: check the name"
              + (settings.token() == null
                  ? "; for a private one say who you are: HF_TOKEN, or `hf auth login`"
                  : ", and that the account of the token in use may read it"));
    }
    if (status == 429) {
      Duration wait = retryAfter(headers);
      return new HubException(
          Reason.RATE_LIMITED,
          name
              + ": too many requests: try again "
              + (wait == null ? "later" : "in " + wait.toSeconds() + " s")
              + (settings.token() == null ? "; with HF_TOKEN more are allowed" : ""));
    }
    return new HubException(
        Reason.BAD_ANSWER,
        name
            + ": "
            + origin(uri)
            + " answered "
            + status
            + (words.isEmpty() ? "" : " (" + words + ")"));
  }

  static String origin(URI uri) {
    return uri.getScheme() + "://" + uri.getRawAuthority();
  }

  /** How long the hub asks to wait, or null. */
  static @Nullable Duration retryAfter(HttpHeaders headers) {
    String value = headers.firstValue("Retry-After").orElse("").strip();
    if (value.matches("\\d{1,9}")) {
      return Duration.ofSeconds(Long.parseLong(value));
    }
    if (!value.isEmpty()) {
      try {
        Instant at = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
        Duration left = Duration.between(Instant.now(), at);
        return left.isNegative() ? Duration.ZERO : left;
      } catch (DateTimeParseException e) {
        return null; // no date: as if nothing were said
      }
    }
    Matcher m = RESET.matcher(headers.firstValue("RateLimit").orElse(""));
    return m.find() ? Duration.ofSeconds(Integer.parseInt(m.group(1))) : null;
  }
}
