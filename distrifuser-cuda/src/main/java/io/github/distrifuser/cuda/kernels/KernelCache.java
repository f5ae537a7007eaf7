package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compiled kernels on disk. A file's name is the SHA-256 of all that its content depends on: the
 * source, the compiler's version and options, and the architecture. It holds the SHA-256 of the
 * code, then the code; one that doesn't fit together is compiled and written anew, with a warning.
 * A folder that cannot be written costs a warning and the time to compile. Any number of processes
 * may share one.
 */
public final class KernelCache {
  private static final Logger LOG = LoggerFactory.getLogger(KernelCache.class);
  private static final int DIGEST = 32; // bytes of SHA-256

  private final Path folder;
  private final KernelCompiler compiler;
  private boolean warned;

  /**
   * A cache in a folder, which is made when something is written.
   *
   * @param folder see {@link #folder(Path, Map, String)}
   */
  public KernelCache(Path folder, KernelCompiler compiler) {
    this.folder = folder;
    this.compiler = compiler;
  }

  /**
   * Where compiled kernels are kept: the option where there is one, else {@code
   * $DISTRIFUSER_CACHE/kernels}, {@code $XDG_CACHE_HOME/distrifuser/kernels} or {@code
   * ~/.cache/distrifuser/kernels}. Empty variables count as missing.
   *
   * @param option the caller's choice, or null
   * @param environment variables
   * @param home the user's folder
   */
  public static Path folder(@Nullable Path option, Map<String, String> environment, String home) {
    if (option != null) {
      return option;
    }
    String own = environment.getOrDefault("DISTRIFUSER_CACHE", "");
    if (!own.isEmpty()) {
      return Path.of(own, "kernels");
    }
    String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
    Path caches = xdg.isEmpty() ? Path.of(home, ".cache") : Path.of(xdg);
    return caches.resolve("distrifuser").resolve("kernels");
  }

  /**
   * A module's code for an architecture, from the disk or from the compiler.
   *
   * @param architecture as in {@code sm_90}
   * @throws KernelCompilationException where it does not compile
   */
  public synchronized byte[] cubin(KernelSource source, String architecture) {
    Path file = folder.resolve(key(source, architecture) + ".cubin");
    byte[] kept = read(file);
    if (kept != null) {
      return kept;
    }
    byte[] cubin = compiler.compile(source, architecture);
    write(file, cubin);
    return cubin;
  }

  private String key(KernelSource source, String architecture) {
    MessageDigest digest = sha256();
    update(digest, source.name());
    update(digest, source.text());
    update(digest, compiler.version());
    update(digest, architecture);
    compiler.options().forEach(o -> update(digest, o));
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void update(MessageDigest digest, String s) {
    byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(4).putInt(bytes.length).flip());
    digest.update(bytes);
  }

  private byte @Nullable [] read(Path file) {
    byte[] all;
    try {
      all = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      return null;
    } catch (IOException e) {
      LOG.warn("{} cannot be read, so the kernels in it are compiled anew: {}", file, e.toString());
      return null;
    }
    if (all.length > DIGEST) {
      byte[] cubin = Arrays.copyOfRange(all, DIGEST, all.length);
      if (Arrays.equals(sha256().digest(cubin), Arrays.copyOf(all, DIGEST))) {
        return cubin;
      }
    }
    LOG.warn("{} is damaged, so the kernels in it are compiled anew", file);
    return null;
  }

  private void write(Path file, byte[] cubin) {
    try {
      Files.createDirectories(folder);
      byte[] digest = sha256().digest(cubin);
      byte[] all = Arrays.copyOf(digest, DIGEST + cubin.length);
      System.arraycopy(cubin, 0, all, DIGEST, cubin.length);
      AtomicFiles.write(file, all);
    } catch (IOException e) {
      if (!warned) {
        warned = true;
        LOG.warn("compiled kernels cannot be kept in {}: {}", folder, e.toString());
      }
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JVM lacks SHA-256", e);
    }
  }
}
