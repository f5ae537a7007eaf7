package io.github.distrifuser.hub;

import java.util.Set;

/**
 * What the hub says of a revision.
 *
 * @param commit the commit that it means
 * @param files all of its files, with slashes
 */
record RepoInfo(String commit, Set<String> files) {
  RepoInfo {
    files = Set.copyOf(files);
  }
}
