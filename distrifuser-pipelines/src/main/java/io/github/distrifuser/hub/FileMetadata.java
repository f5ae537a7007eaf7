package io.github.distrifuser.hub;

import java.util.regex.Pattern;

/**
 * What the hub says of a file.
 *
 * @param file its path in the repository
 * @param commit the revision's commit
 * @param etag name of its blob: for large files the SHA-256 of the contents
 * @param size bytes; -1 where the hub doesn't say
 */
record FileMetadata(String file, String commit, String etag, long size) {
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  /** Whether the etag is the contents' SHA-256. */
  boolean isSha256() {
    return SHA256.matcher(etag).matches();
  }
}
