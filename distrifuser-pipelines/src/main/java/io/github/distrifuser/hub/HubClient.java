package io.github.distrifuser.hub;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.hub.HubException.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the hub: for a revision's files, for a file's name and size, for its bytes. Redirects are
 * followed here, so that the token goes to the hub's own address and to no other; what may pass is
 * asked again.
 */
final class HubClient {
  private static final Logger LOG = LoggerFactory.getLogger(HubClient.class);
  private static final int MOST_REDIRECTS = 10;

  /** How often a request is made before it is given up. */
  static final int ATTEMPTS = 5;

  private static final Duration LONGEST_WAIT = Duration.ofMinutes(5);
  private static final Duration LONGEST_DELAY = Duration.ofSeconds(8);
  private static final Pattern ETAG = Pattern.compile("(?:W/)?\"?([^\"]*)\"?");

  private final HubSettings settings;
  private final HubErrors errors;
  private final HttpClient http;

  HubClient(HubSettings settings) {
    this.settings = settings;
    this.errors = new HubErrors(settings);
    this.http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1) // one connection for each download
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(settings.stall())
            .proxy(new EnvironmentProxies(System.getenv()))
            .build();
  }

  HubErrors errors() {
    return errors;
  }

  // --- what is asked ---

  /**
   * A revision's commit and files.
   *
   * @param attempts how often to ask where there is no answer
   * @throws HubException where there is no such repository or revision, or it may not be seen, or
   *     the hub cannot be reached
   */
  RepoInfo info(HubId id, int attempts) throws InterruptedException {
    URI uri = uri("/api/models/" + id.repo() + "/revision/" + encoded(id.revision()));
    byte[] json =
        repeated(
                id,
                null,
                attempts,
                () -> send(id, null, uri, "GET", 0, HttpResponse.BodyHandlers.ofByteArray()))
            .response
            .body();
    JsonNode root;
    try {
      root = new JsonMapper().readTree(json);
    } catch (JacksonException e) {
      throw notAHub(id, uri, "no JSON", e);
    } catch (IOException e) {
      throw notAHub(id, uri, e.toString(), e);
    }
    String commit = root.path("sha").asText();
    if (!HubId.isCommit(commit) || !root.path("siblings").isArray()) {
      throw notAHub(id, uri, "neither a commit nor a list of files", null);
    }
    TreeSet<String> files = new TreeSet<>();
    for (JsonNode f : root.get("siblings")) {
      files.add(f.path("rfilename").asText());
    }
    return new RepoInfo(commit, files);
  }

  private HubException notAHub(HubId id, URI uri, String found, @Nullable Exception cause) {
    return new HubException(
        Reason.BAD_ANSWER,
        id
            + ": "
            + HubErrors.origin(uri)
            + " does not answer as a hub does ("
            + found
            + "): check HF_ENDPOINT, proxies and firewalls",
        cause);
  }

  /** A file's blob and size, by HEAD; redirects are followed until the hub has said it. */
  FileMetadata metadata(HubId id, String commit, String file) throws InterruptedException {
    URI uri = resolve(id, commit, file);
    Answer<Void> a =
        repeated(
            id,
            file,
            ATTEMPTS,
            () -> send(id, file, uri, "HEAD", 0, HttpResponse.BodyHandlers.discarding()));
    HttpHeaders h = a.response.headers();
    String found = header(h, a.first, "X-Repo-Commit");
    String linked = header(h, a.first, "X-Linked-Etag");
    String etag = linked != null ? linked : h.firstValue("ETag").orElse(null);
    if (found == null || etag == null) {
      throw notAHub(id, uri, "HEAD of " + file + " names no commit or no ETag", null);
    }
    if (!found.equals(commit)) {
      throw notAHub(id, uri, file + " is of commit " + found + ", not " + commit, null);
    }
    String size = header(h, a.first, "X-Linked-Size");
    if (size == null && a.response.statusCode() == 200) {
      size = h.firstValue("Content-Length").orElse(null);
    }
    return new FileMetadata(
        file, commit, ETAG.matcher(etag.strip()).replaceFirst("$1"), number(id, file, size));
  }

  private static @Nullable String header(
      HttpHeaders last, @Nullable HttpHeaders first, String name) {
    String value = last.firstValue(name).orElse(null);
    return value != null || first == null ? value : first.firstValue(name).orElse(null);
  }

  private static long number(HubId id, String file, @Nullable String size) {
    if (size == null) {
      return -1;
    }
    try {
      return Long.parseLong(size.strip());
    } catch (NumberFormatException e) {
      throw new HubException(
          Reason.BAD_ANSWER, id + ": " + file + ": the hub says it has '" + size + "' bytes", e);
    }
  }

  /**
   * Opens a file, once; the caller repeats, and closes the body.
   *
   * @param from the first byte wanted
   * @throws HubException where it is refused for good
   * @throws IOException where it may work later
   */
  HttpResponse<InputStream> open(HubId id, String commit, String file, long from)
      throws IOException, InterruptedException {
    URI uri = resolve(id, commit, file);
    return send(id, file, uri, "GET", from, HttpResponse.BodyHandlers.ofInputStream()).response;
  }

  // --- requests ---

  private URI resolve(HubId id, String commit, String file) {
    String path =
        Arrays.stream(file.split("/")).map(HubClient::encoded).collect(Collectors.joining("/"));
    return uri("/" + id.repo() + "/resolve/" + commit + "/" + path);
  }

  private URI uri(String path) {
    return URI.create(settings.endpoint() + path);
  }

  private static String encoded(String s) {
    return URLEncoder.encode(s, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** An answer, and the headers of the first one on the way that named a commit. */
  private record Answer<T>(HttpResponse<T> response, @Nullable HttpHeaders first) {}

  /** An answer that may be another one later. */
  static final class PassingException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient HubException error;
    private final @Nullable Duration wait;

    PassingException(HubException error, @Nullable Duration wait) {
      super(error.getMessage());
      this.error = error;
      this.wait = wait;
    }
  }

  @FunctionalInterface
  private interface Request<T> {
    Answer<T> send() throws IOException, InterruptedException;
  }

  private <T> Answer<T> repeated(HubId id, @Nullable String file, int attempts, Request<T> request)
      throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        return request.send();
      } catch (IOException e) {
        pause(id, file, attempt, attempts, e);
      }
    }
  }

  /**
   * Waits before a request is repeated: as long as the hub asks for, or longer each time.
   *
   * @param attempt how often it has failed in a row
   * @param attempts after how often to give up
   * @throws HubException where that is too often, or the hub asks for too long a wait
   */
  void pause(HubId id, @Nullable String file, int attempt, int attempts, IOException cause)
      throws InterruptedException {
    Duration wait = cause instanceof PassingException p ? p.wait : null;
    if (attempt >= attempts || wait != null && wait.compareTo(LONGEST_WAIT) > 0) {
      throw failed(id, file, cause);
    }
    Duration doubled = settings.retryDelay().multipliedBy(1L << (attempt - 1));
    Duration delay = doubled.compareTo(LONGEST_DELAY) < 0 ? doubled : LONGEST_DELAY;
    if (wait != null && wait.compareTo(delay) > 0) {
      delay = wait;
    }
    LOG.info(
        "{}{}: {}; again in {} ms",
        id,
        file == null ? "" : ": " + file,
        words(cause),
        delay.toMillis());
    Thread.sleep(delay.toMillis());
  }

  private HubException failed(HubId id, @Nullable String file, IOException cause) {
    if (cause instanceof PassingException p) {
      return p.error;
    }
    return new HubException(
        Reason.UNREACHABLE,
        id
            + (file == null ? "" : ": " + file)
            + ": "
            + settings.endpoint()
            + " cannot be reached, or breaks off: "
            + words(cause),
        cause);
  }

  private static String words(IOException e) {
    if (e instanceof ConnectException && e.getCause() instanceof UnresolvedAddressException) {
      return "its name is not known (no network?)";
    }
    if (e instanceof ConnectException && e.getMessage() == null) {
      return "no connection";
    }
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private <T> Answer<T> send(
      HubId id,
      @Nullable String file,
      URI start,
      String method,
      long from,
      HttpResponse.BodyHandler<T> body)
      throws IOException, InterruptedException {
    URI uri = start;
    HttpHeaders first = null;
    for (int i = 0; i <= MOST_REDIRECTS; i++) {
      HttpResponse<T> r = answer(request(uri, method, from), body);
      int status = r.statusCode();
      HttpHeaders h = r.headers();
      if (first == null && h.firstValue("X-Repo-Commit").isPresent()) {
        first = h;
      }
      boolean redirect = status >= 300 && status < 400 && h.firstValue("Location").isPresent();
      boolean said =
          method.equals("HEAD") && first != null && first.firstValue("X-Linked-Etag").isPresent();
      if (redirect && said || status == 200 || status == 206) {
        return new Answer<>(r, first);
      }
      discard(r);
      if (!redirect) {
        throw refused(id, file, uri, r);
      }
      uri = location(id, uri, h.firstValue("Location").orElseThrow());
    }
    throw notAHub(id, start, "more than " + MOST_REDIRECTS + " redirects", null);
  }

  /**
   * Waits for an answer as long as a connection may bring nothing. A request's own limit would,
   * from Java 26 on, also end a body that is still coming.
   */
  private <T> HttpResponse<T> answer(HttpRequest request, HttpResponse.BodyHandler<T> body)
      throws IOException, InterruptedException {
    CompletableFuture<HttpResponse<T>> answer = http.sendAsync(request, body);
    try {
      return answer.get(settings.stall().toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new HttpTimeoutException("no answer within " + settings.stall().toMillis() + " ms");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException io) {
        throw io;
      }
      throw new IOException(e.getCause());
    } finally {
      answer.cancel(true); // of no effect where it has come
    }
  }

  private URI location(HubId id, URI from, String location) {
    URI to;
    try {
      to = from.resolve(location);
    } catch (IllegalArgumentException e) {
      throw notAHub(id, from, "a redirect to no address", e);
    }
    boolean safe = "https".equalsIgnoreCase(to.getScheme());
    boolean plain = "http".equalsIgnoreCase(to.getScheme());
    boolean wasPlain = "http".equalsIgnoreCase(from.getScheme());
    if (to.getHost() == null || !(safe || plain && wasPlain)) {
      throw notAHub(id, from, "a redirect to " + HubErrors.origin(to), null);
    }
    return to;
  }

  private HttpRequest request(URI uri, String method, long from) {
    HttpRequest.Builder b =
        HttpRequest.newBuilder(uri)
            .method(method, HttpRequest.BodyPublishers.noBody())
            .header("User-Agent", "distrifuser-jvm; java/" + Runtime.version().feature())
            .header("Accept-Encoding", "identity");
    if (from > 0) {
      b.header("Range", "bytes=" + from + "-");
    }
    if (settings.token() != null && isHub(uri)) {
      b.header("Authorization", "Bearer " + settings.token());
    }
    return b.build();
  }

  /** Whether it is the hub's own address: scheme, host and port. */
  private boolean isHub(URI uri) {
    URI hub = settings.endpoint();
    return Objects.equals(uri.getScheme(), hub.getScheme())
        && hub.getHost().equalsIgnoreCase(uri.getHost())
        && port(uri) == port(hub);
  }

  private static int port(URI uri) {
    return uri.getPort() >= 0 ? uri.getPort() : "https".equals(uri.getScheme()) ? 443 : 80;
  }

  private IOException refused(HubId id, @Nullable String file, URI uri, HttpResponse<?> r) {
    HubException e = errors.of(id, file, uri, r.statusCode(), r.headers());
    // A signed address may have run out: the hub gives a new one.
    boolean elsewhere = !isHub(uri) && r.statusCode() == 403;
    if (HubErrors.isPassing(r.statusCode()) || elsewhere) {
      return new PassingException(e, HubErrors.retryAfter(r.headers()));
    }
    throw e;
  }

  private static void discard(HttpResponse<?> r) {
    if (r.body() instanceof InputStream in) {
      try {
        in.close();
      } catch (IOException e) {
        LOG.debug("a refused answer cannot be closed", e);
      }
    }
  }
}
