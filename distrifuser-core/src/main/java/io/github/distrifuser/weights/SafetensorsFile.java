package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A safetensors file, memory-mapped or in memory. The header is read and checked when the file is
 * opened; data only when a tensor is asked for.
 *
 * <p>A file is mapped in segments of about 64 MiB, cut between tensors, when a tensor of the
 * segment is first asked for. The segment is kept by the tensors read from it and by nothing else:
 * once a model has packed its weights and dropped the {@link WeightTensor}s, the garbage collector
 * unmaps the pages. Asking again maps them again. The file must not change while it is in use.
 *
 * <p>Closing is idempotent and leaves tensors that were handed out usable. All methods may be
 * called by several threads at once.
 */
public final class SafetensorsFile implements AutoCloseable {
  private static final long SEGMENT = 64L << 20;
  private static final Set<String> READABLE =
      Arrays.stream(DType.values()).map(DType::name).collect(Collectors.toUnmodifiableSet());

  private final String source;
  private final SafetensorsHeader header;
  private final long dataBegin;
  private final @Nullable FileChannel channel;
  private final Map<String, Segment> segments;
  private @Nullable ByteBuffer memory; // all data, where there is no channel
  private boolean closed;

  private SafetensorsFile(
      String source,
      SafetensorsHeader header,
      long dataBegin,
      @Nullable FileChannel channel,
      @Nullable ByteBuffer memory) {
    this.source = source;
    this.header = header;
    this.dataBegin = dataBegin;
    this.channel = channel;
    this.memory = memory;
    this.segments = channel == null ? Map.of() : segments(header);
  }

  /**
   * Opens a file; messages call it by its path.
   *
   * @throws WeightsException if it cannot be read or is malformed
   */
  public static SafetensorsFile open(Path path) {
    return open(path, path.toString());
  }

  /**
   * Opens a file.
   *
   * @param source what messages call it, as in {@code unet/diffusion_pytorch_model.safetensors}
   * @throws WeightsException if it cannot be read or is malformed
   */
  public static SafetensorsFile open(Path path, String source) {
    if (Files.isDirectory(path)) {
      throw new WeightsException(source, "is a folder, expected a safetensors file");
    }
    FileChannel channel = null;
    SafetensorsFile file = null;
    try {
      channel = FileChannel.open(path, StandardOpenOption.READ);
      long size = channel.size();
      ByteBuffer prefix = read(channel, 0, (int) Math.min(size, SafetensorsHeader.PREFIX));
      int length = headerLength(source, prefix, size);
      ByteBuffer json = read(channel, SafetensorsHeader.PREFIX, length);
      long begin = SafetensorsHeader.PREFIX + (long) length;
      SafetensorsHeader header = SafetensorsHeader.parse(source, json, size - begin);
      file = new SafetensorsFile(source, header, begin, channel, null);
      return file;
    } catch (NoSuchFileException e) {
      throw new WeightsException(source, "no such file (" + path.toAbsolutePath() + ")", e);
    } catch (IOException e) {
      throw new WeightsException(source, "cannot be read: " + e, e);
    } finally {
      if (file == null && channel != null) {
        close(source, channel);
      }
    }
  }

  /**
   * A file in memory.
   *
   * @param source what messages call it
   * @param file the whole file, from position to limit; shared, not copied
   * @throws WeightsException if it is malformed
   */
  public static SafetensorsFile of(String source, ByteBuffer file) {
    ByteBuffer all = file.slice().order(ByteOrder.LITTLE_ENDIAN);
    int length = headerLength(source, all, all.limit());
    int begin = SafetensorsHeader.PREFIX + length;
    SafetensorsHeader header =
        SafetensorsHeader.parse(
            source, all.slice(SafetensorsHeader.PREFIX, length), all.limit() - begin);
    return new SafetensorsFile(source, header, begin, null, all.slice(begin, all.limit() - begin));
  }

  /** As {@link #of(String, ByteBuffer)}. */
  public static SafetensorsFile of(String source, byte[] file) {
    return of(source, ByteBuffer.wrap(file));
  }

  /** What messages call this file. */
  public String source() {
    return source;
  }

  /** Names of all tensors, in the order in which their bytes lie in the file. */
  public Set<String> names() {
    return header.tensors().keySet();
  }

  /** The header's free text, as in {@code format: pt}. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  public boolean has(String name) {
    return header.tensors().containsKey(name);
  }

  /**
   * What the header says of a tensor.
   *
   * @throws WeightsException if there is none of this name
   */
  public TensorInfo info(String name) {
    TensorInfo t = header.tensors().get(name);
    if (t == null) {
      throw new WeightsException(
          source, name, "missing (the file holds %d tensors)".formatted(names().size()));
    }
    return t;
  }

  /**
   * A tensor's data: mapped where this is a file on disk, else a view of the memory. Its address
   * may be unaligned.
   *
   * @throws WeightsException if there is none of this name, if its type has no {@link DType}, or if
   *     it has 2 GiB or more
   * @throws IllegalStateException once closed
   */
  public WeightTensor get(String name) {
    TensorInfo t = info(name);
    if (!READABLE.contains(t.dtype())) {
      throw new WeightsException(
          source,
          name,
          "dtype %s cannot be read, expected one of %s"
              .formatted(t.dtype(), Arrays.toString(DType.values())));
    }
    if (t.bytes() > Integer.MAX_VALUE) {
      throw new WeightsException(
          source,
          name,
          "%d bytes, expected at most %d for one tensor".formatted(t.bytes(), Integer.MAX_VALUE));
    }
    return new WeightTensor(name, source, DType.valueOf(t.dtype()), t.shape(), data(t));
  }

  private synchronized ByteBuffer data(TensorInfo t) {
    if (closed) {
      throw new IllegalStateException(source + ": already closed, cannot read " + t.name());
    }
    ByteBuffer m = memory;
    if (m != null) {
      return m.slice((int) t.begin(), (int) t.bytes());
    }
    Segment s = segments.get(t.name());
    if (channel == null || s == null || t.bytes() == 0) {
      return ByteBuffer.allocateDirect(0);
    }
    ByteBuffer mapped = s.mapped == null ? null : s.mapped.get();
    if (mapped == null) {
      try {
        mapped = channel.map(FileChannel.MapMode.READ_ONLY, dataBegin + s.begin, s.end - s.begin);
      } catch (IOException e) {
        throw new WeightsException(
            source, "cannot map %d bytes for %s: %s".formatted(s.end - s.begin, t.name(), e), e);
      }
      s.mapped = new WeakReference<>(mapped);
    }
    return mapped.slice((int) (t.begin() - s.begin), (int) t.bytes());
  }

  /** True once closed. */
  public synchronized boolean isClosed() {
    return closed;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      memory = null;
      if (channel != null) {
        close(source, channel);
      }
    }
  }

  private static void close(String source, FileChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      throw new WeightsException(source, "cannot be closed: " + e, e);
    }
  }

  private static int headerLength(String source, ByteBuffer file, long size) {
    if (size < SafetensorsHeader.PREFIX) {
      throw new WeightsException(
          source,
          "%d bytes, expected at least %d; not a safetensors file?"
              .formatted(size, SafetensorsHeader.PREFIX));
    }
    return SafetensorsHeader.length(source, file.getLong(0), size);
  }

  private static ByteBuffer read(FileChannel channel, long position, int length)
      throws IOException {
    ByteBuffer b = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (b.hasRemaining()) {
      if (channel.read(b, position + b.position()) < 0) {
        throw new IOException("ends at byte " + (position + b.position()));
      }
    }
    return b.flip();
  }

  /** Cuts the data between tensors; a tensor that is too large to map gets no segment. */
  private static Map<String, Segment> segments(SafetensorsHeader header) {
    Map<String, Segment> out = new HashMap<>();
    Segment s = null;
    for (TensorInfo t : header.tensors().values()) {
      if (t.bytes() > Integer.MAX_VALUE) {
        s = null;
        continue;
      }
      if (s == null || t.end() - s.begin > SEGMENT) {
        s = new Segment(t.begin());
      }
      s.end = t.end();
      out.put(t.name(), s);
    }
    return out;
  }

  /** A piece of the data section that is mapped as one. */
  private static final class Segment {
    final long begin;
    long end;
    @Nullable WeakReference<ByteBuffer> mapped;

    Segment(long begin) {
      this.begin = begin;
      this.end = begin;
    }
  }
}
