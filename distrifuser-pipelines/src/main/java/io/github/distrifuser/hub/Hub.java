package io.github.distrifuser.hub;

import io.github.distrifuser.hub.HubException.Reason;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.weights.ShardIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Models of the hub as folders on disk: diffusers' {@code DiffusionPipeline.download}. What the
 * cache lacks is downloaded, by one process at a time for each repository; others that want the
 * same wait and find it there.
 */
public final class Hub {
  private static final Logger LOG = LoggerFactory.getLogger(Hub.class);
  private static final Pattern INDEX_FILE = Pattern.compile(".*\\.safetensors\\..*json");

  /** Name of the lock that a whole download holds; etags have no such name. */
  private static final String LOCK = "snapshot";

  private final HubId id;
  private final @Nullable String variant;
  private final HubSettings settings;
  private final ProgressReporter.Config progress;
  private final HubCache cache;
  private final HubClient client;

  private Hub(
      HubId id, @Nullable String variant, HubSettings settings, ProgressReporter.Config progress) {
    this.id = id;
    this.variant = variant;
    this.settings = settings;
    this.progress = progress;
    this.cache = new HubCache(settings.cache(), id.repo());
    this.client = new HubClient(settings);
  }

  /**
   * A model's folder, with all that a pipeline needs.
   *
   * @param variant weights' variant, as in {@code fp16}, or null
   * @param progress of the download's bar
   * @return the snapshot in the hub's cache
   * @throws HubException saying why it cannot be had, and what to do
   */
  public static Path snapshot(
      HubId id, @Nullable String variant, HubSettings settings, ProgressReporter.Config progress) {
    try {
      return new Hub(id, variant, settings, progress).snapshot();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HubException(Reason.UNREACHABLE, id + ": the download was interrupted", e);
    } catch (IOException e) {
      throw new HubException(
          Reason.CACHE, id + ": the cache " + settings.cache() + ": " + e.getMessage(), e);
    }
  }

  private Path snapshot() throws IOException, InterruptedException {
    if (settings.offline()) {
      String lacks = lacksInCache();
      if (lacks == null) {
        return cachedFolder();
      }
      throw new HubException(
          Reason.NOT_CACHED,
          id
              + ": "
              + lacks
              + " is not in the cache "
              + settings.cache()
              + ", and the hub may not be asked (localFilesOnly, or HF_HUB_OFFLINE)");
    }
    RepoInfo info;
    try {
      info = client.info(id, lacksInCache() == null ? 1 : HubClient.ATTEMPTS);
    } catch (HubException e) {
      if (e.reason() != Reason.REVISION_NOT_FOUND && lacksInCache() == null) {
        LOG.warn("{}; what the cache has is used", e.getMessage());
        return cachedFolder();
      }
      throw e;
    }
    if (!info.files().contains(FileChoice.INDEX)) {
      throw new HubException(
          Reason.UNSUPPORTED,
          id + " has no " + FileChoice.INDEX + ": it is not in diffusers' format");
    }
    if (!isComplete(info)) {
      try (CacheLock lock = CacheLock.acquire(cache.lock(LOCK), id.toString())) {
        if (!isComplete(info)) {
          download(info);
        }
        LOG.debug("{}: complete ({})", id, lock);
      }
    }
    noteRevision(info);
    return cache.snapshot(info.commit());
  }

  private void noteRevision(RepoInfo info) {
    try {
      cache.setCommitOf(id, info.commit());
    } catch (IOException e) {
      // A cache that others keep, and this user only reads.
      LOG.warn("{}: the cache cannot note its commit: {}", id, e.getMessage());
    }
  }

  // --- what is there ---

  private Path cachedFolder() {
    String commit = cache.commitOf(id);
    if (commit == null) {
      throw new IllegalStateException(id + " is not in the cache");
    }
    return cache.snapshot(commit);
  }

  /** What the cache lacks of the model without asking the hub; null where it is complete. */
  private @Nullable String lacksInCache() throws IOException {
    String commit = cache.commitOf(id);
    if (commit == null) {
      return id.isCommit() ? "the commit" : "revision '" + id.revision() + "'";
    }
    Set<String> files = cache.files(commit);
    if (!files.contains(FileChoice.INDEX)) {
      return FileChoice.INDEX;
    }
    Set<String> shards = new TreeSet<>();
    for (String f : files) {
      if (INDEX_FILE.matcher(f).matches()) {
        String folder = f.substring(0, f.lastIndexOf('/') + 1);
        byte[] json = Files.readAllBytes(cache.pointer(commit, f));
        ShardIndex.parse(f, json).shards().forEach(s -> shards.add(folder + s));
      }
    }
    return choice(commit).missing(files, shards);
  }

  private FileChoice choice(String commit) throws IOException {
    byte[] json = Files.readAllBytes(cache.pointer(commit, FileChoice.INDEX));
    return FileChoice.of(id + ": " + FileChoice.INDEX, json);
  }

  private boolean isComplete(RepoInfo info) throws IOException {
    return Files.exists(cache.pointer(info.commit(), FileChoice.INDEX))
        && lacking(info, choice(info.commit()).choose(info.files(), variant)).isEmpty();
  }

  private List<String> lacking(RepoInfo info, Collection<String> files) {
    return files.stream().filter(f -> !Files.exists(cache.pointer(info.commit(), f))).toList();
  }

  // --- what is brought ---

  private void download(RepoInfo info) throws IOException, InterruptedException {
    try (StallWatch stalls = new StallWatch(settings.stall())) {
      if (!Files.exists(cache.pointer(info.commit(), FileChoice.INDEX))) {
        FileMetadata index = client.metadata(id, info.commit(), FileChoice.INDEX);
        new BlobDownload(id, client, cache, stalls, ProgressReporter.none()).run(index);
      }
      Set<String> wanted = choice(info.commit()).choose(info.files(), variant);
      wanted.forEach(this::checkName);
      List<Callable<FileMetadata>> heads = new ArrayList<>();
      for (String f : lacking(info, wanted)) {
        heads.add(() -> client.metadata(id, info.commit(), f));
      }
      List<FileMetadata> files = Parallel.all("hub-metadata", heads, stalls::breakAll);
      long total = files.stream().mapToLong(m -> Math.max(0, m.size())).sum();
      try (ProgressReporter bar = ProgressReporter.bytes(progress, id.repo(), total)) {
        BlobDownload one = new BlobDownload(id, client, cache, stalls, bar);
        checkSpace(one, files);
        List<Callable<FileMetadata>> downloads = new ArrayList<>();
        for (FileMetadata m : files) {
          downloads.add(
              () -> {
                one.run(m);
                return m;
              });
        }
        Parallel.all("hub-download", downloads, stalls::breakAll);
      }
    }
  }

  private void checkName(String file) {
    boolean parts =
        Arrays.stream(file.split("/", -1))
            .allMatch(p -> !p.isEmpty() && !p.equals(".") && !p.equals(".."));
    if (!parts || file.contains("\\") || file.chars().anyMatch(Character::isISOControl)) {
      throw new HubException(
          Reason.BAD_ANSWER,
          id
              + ": the hub lists a file that cannot be one: '"
              + file.replaceAll("\\p{C}", "?")
              + "'");
    }
  }

  private void checkSpace(BlobDownload download, List<FileMetadata> files) throws IOException {
    long needed = 0;
    for (FileMetadata m : files) {
      if (!BlobDownload.isWhole(cache.blob(m.etag()), m)) {
        needed += Math.max(0, m.size() - download.partial(m));
      }
    }
    Files.createDirectories(cache.home());
    long free = Files.getFileStore(cache.home()).getUsableSpace();
    if (needed > free) {
      throw new HubException(
          Reason.CACHE,
          String.format(
              Locale.ROOT,
              "%s: %.2f GB have to be downloaded, but %s has %.2f GB left: make room, or set"
                  + " HF_HUB_CACHE to another place",
              id,
              needed * 1e-9,
              cache.home(),
              free * 1e-9));
    }
  }
}
