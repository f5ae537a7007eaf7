package io.github.distrifuser.hub;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a caller may say about a model of the hub, as in diffusers' from_pretrained; what is null is
 * found in the environment.
 *
 * @param revision a branch, a tag or a commit; null for what the name says, else {@code main}
 * @param localFilesOnly whether the hub is not asked at all
 * @param token the hub account's token
 * @param cacheDir the cache's folder
 * @param endpoint the hub's address
 */
public record HubOptions(
    @Nullable String revision,
    boolean localFilesOnly,
    @Nullable String token,
    @Nullable Path cacheDir,
    @Nullable String endpoint) {

  /** Everything from the environment. */
  public static HubOptions defaults() {
    return new HubOptions(null, false, null, null, null);
  }

  /** Without the token. */
  @Override
  public String toString() {
    return "HubOptions[revision=%s, localFilesOnly=%s, token=%s, cacheDir=%s, endpoint=%s]"
        .formatted(
            revision, localFilesOnly, token == null ? "null" : "(given)", cacheDir, endpoint);
  }
}
