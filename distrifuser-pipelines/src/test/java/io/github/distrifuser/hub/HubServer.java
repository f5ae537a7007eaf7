package io.github.distrifuser.hub;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * A hub with one repository, on loopback, and a second server at another address that large files
 * are redirected to, as the hub's are to its CDN. A {@link Fault} can be put before either.
 */
public final class HubServer implements AutoCloseable {
  /** The repository. */
  public static final String REPO = "someone/a.model";

  /** What {@code main} means. */
  public static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

  private final HttpServer hub;
  private final HttpServer cdn;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final Map<String, byte[]> files;
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private volatile Fault fault = (request, exchange, body) -> false;

  /**
   * What was asked.
   *
   * @param toHub whether the hub was asked, not the CDN
   * @param token the Authorization header, or null
   * @param range the Range header, or null
   */
  public record Request(
      boolean toHub, String method, String path, @Nullable String token, @Nullable String range) {}

  /** Something that goes wrong. */
  @FunctionalInterface
  public interface Fault {
    /**
     * Answers in place of the server, or not.
     *
     * @param body what the server would send, where it is a file
     * @return whether the request is answered
     */
    boolean answer(Request request, HttpExchange exchange, byte @Nullable [] body)
        throws IOException, InterruptedException;
  }

  /** Starts a hub with these files, by their paths. */
  public HubServer(Map<String, byte[]> files) throws IOException {
    this.files = new LinkedHashMap<>(files);
    hub = server(true);
    cdn = server(false);
  }

  private HttpServer server(boolean isHub) throws IOException {
    InetAddress loopback = InetAddress.getLoopbackAddress();
    HttpServer s = HttpServer.create(new InetSocketAddress(loopback, 0), 0);
    s.setExecutor(threads);
    s.createContext("/", e -> handle(isHub, e));
    s.start();
    return s;
  }

  /** The hub's address, for HF_ENDPOINT. */
  public String endpoint() {
    return "http://127.0.0.1:" + hub.getAddress().getPort();
  }

  /** Puts a fault before the servers. */
  public void setFault(Fault newFault) {
    fault = newFault;
  }

  /** All requests so far. */
  public List<Request> requests() {
    return requests;
  }

  /** Requests for a file's contents, whether redirected or not. */
  public List<Request> gets(String file) {
    String name = isLarge(file) ? "/" + sha256(files.get(file)) : "/resolve/" + COMMIT + "/" + file;
    return requests.stream()
        .filter(r -> r.method().equals("GET") && r.path().endsWith(name))
        .filter(r -> r.toHub() != isLarge(file))
        .toList();
  }

  /** Contents of a file. */
  public byte[] file(String name) {
    return files.get(name);
  }

  /** Whether a file is stored as the hub stores large ones: with its SHA-256 as ETag. */
  public static boolean isLarge(String file) {
    return file.endsWith(".safetensors") || file.endsWith(".bin");
  }

  /** A file's ETag. */
  public static String etag(String file, byte[] bytes) {
    return isLarge(file) ? sha256(bytes) : sha256(bytes).substring(0, 40);
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  // --- answers ---

  private void handle(boolean isHub, HttpExchange exchange) throws IOException {
    Headers h = exchange.getRequestHeaders();
    Request r =
        new Request(
            isHub,
            exchange.getRequestMethod(),
            exchange.getRequestURI().getPath(),
            h.getFirst("Authorization"),
            h.getFirst("Range"));
    requests.add(r);
    try (exchange) {
      if (!fault.answer(r, exchange, body(r))) {
        answer(r, exchange);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private byte @Nullable [] body(Request r) {
    if (r.toHub()) {
      String file = fileOf(r.path());
      return file == null || isLarge(file) ? null : files.get(file);
    }
    String sha = r.path().substring(r.path().lastIndexOf('/') + 1);
    return files.values().stream().filter(b -> sha256(b).equals(sha)).findFirst().orElse(null);
  }

  private static @Nullable String fileOf(String path) {
    for (String revision : List.of("main", COMMIT)) {
      String prefix = "/" + REPO + "/resolve/" + revision + "/";
      if (path.startsWith(prefix)) {
        return path.substring(prefix.length());
      }
    }
    return null;
  }

  private void answer(Request r, HttpExchange exchange) throws IOException {
    String api = "/api/models/" + REPO;
    byte[] body = body(r);
    if (!r.toHub()) {
      send(exchange, r, body);
    } else if (r.path().equals(api + "/revision/main")
        || r.path().equals(api + "/revision/" + COMMIT)
        || r.path().equals(api)) {
      json(exchange, info());
    } else if (r.path().equals(api + "/tree/" + COMMIT)) {
      json(exchange, tree());
    } else if (r.path().startsWith(api + "/")) {
      refuse(exchange, 404, "RevisionNotFound", "Invalid rev id");
    } else if (fileOf(r.path()) != null) {
      resolve(r, exchange, fileOf(r.path()), body);
    } else if (r.path().startsWith("/" + REPO + "/resolve/")) {
      refuse(exchange, 404, "RevisionNotFound", "Invalid rev id");
    } else {
      refuse(exchange, 401, "RepoNotFound", "Repository not found");
    }
  }

  private void resolve(Request r, HttpExchange exchange, String file, byte @Nullable [] body)
      throws IOException {
    byte[] bytes = files.get(file);
    exchange.getResponseHeaders().set("X-Repo-Commit", COMMIT);
    if (bytes == null) {
      refuse(exchange, 404, "EntryNotFound", "Entry not found");
      return;
    }
    if (isLarge(file)) {
      URI to =
          URI.create(
              "http://localhost:"
                  + cdn.getAddress().getPort()
                  + "/signed/"
                  + sha256(bytes)
                  + "?key=1");
      exchange.getResponseHeaders().set("Location", to.toString());
      exchange.getResponseHeaders().set("X-Linked-Etag", '"' + sha256(bytes) + '"');
      exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(bytes.length));
      exchange.sendResponseHeaders(302, -1);
    } else {
      exchange.getResponseHeaders().set("ETag", "W/\"" + etag(file, bytes) + '"');
      send(exchange, r, body);
    }
  }

  /** Sends a file, or the range of it that is asked for. */
  public static void send(HttpExchange exchange, Request r, byte @Nullable [] body)
      throws IOException {
    if (body == null) {
      exchange.sendResponseHeaders(404, -1);
      return;
    }
    if (r.method().equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", String.valueOf(body.length));
      exchange.sendResponseHeaders(200, -1);
      return;
    }
    int from = begin(exchange, r, body);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(body, from, body.length - from);
    }
  }

  /** Sends the headers of a file; returns where to begin. */
  public static int begin(HttpExchange exchange, Request r, byte[] body) throws IOException {
    int from = 0;
    if (r.range() != null) {
      from = Integer.parseInt(r.range().replaceAll("bytes=(\\d+)-.*", "$1"));
      exchange
          .getResponseHeaders()
          .set("Content-Range", "bytes %d-%d/%d".formatted(from, body.length - 1, body.length));
    }
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, body.length - from);
    return from;
  }

  /** Refuses as the hub does. */
  public static void refuse(HttpExchange exchange, int status, String code, String message)
      throws IOException {
    exchange.getResponseHeaders().set("X-Error-Code", code);
    exchange.getResponseHeaders().set("X-Error-Message", message);
    exchange.sendResponseHeaders(status, -1);
  }

  private static void json(HttpExchange exchange, Object body) throws IOException {
    byte[] bytes = body.toString().getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(200, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private ObjectNode info() {
    ObjectNode info = new JsonMapper().createObjectNode();
    info.put("_id", "1").put("id", REPO).put("modelId", REPO).put("sha", COMMIT);
    info.put("private", false);
    ArrayNode siblings = info.putArray("siblings");
    files.keySet().forEach(f -> siblings.addObject().put("rfilename", f));
    return info;
  }

  private ArrayNode tree() {
    ArrayNode tree = new JsonMapper().createArrayNode();
    files.forEach(
        (f, bytes) -> {
          ObjectNode n = tree.addObject().put("type", "file").put("path", f);
          n.put("size", bytes.length).put("oid", sha256(bytes).substring(0, 40));
          if (isLarge(f)) {
            n.putObject("lfs")
                .put("oid", sha256(bytes))
                .put("size", bytes.length)
                .put("pointerSize", 134);
          }
        });
    return tree;
  }

  @Override
  public void close() {
    hub.stop(0);
    cdn.stop(0);
    threads.shutdownNow();
  }
}
