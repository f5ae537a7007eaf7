package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of a file that torch.save or torch.jit.save wrote: {@code .pth} and {@code .pt}, as a
 * zip archive or in the format from before torch 1.6. Nothing in the file is run: names other than
 * those of tensors and their containers are an error, and of TorchScript modules only the
 * attributes are read. Tensors get their attributes' names joined by dots, which are those of the
 * state dict.
 */
public final class TorchFile {
  /** The low eight bytes of torch's magic number, 0x1950a86a20f9469cfc6c. */
  private static final long LEGACY_MAGIC = 0xa86a20f9469cfc6cL;

  private static final int LARGEST_PICKLE = 64 << 20;

  private final String source;
  private final Map<String, Storage> storages = new HashMap<>();

  private TorchFile(String source) {
    this.source = source;
  }

  /** A run of numbers that tensors lie in. */
  private static final class Storage {
    final @Nullable DType dtype; // null for types that weights don't have
    final int width;
    @Nullable ByteBuffer data;

    Storage(@Nullable DType dtype, int width) {
      this.dtype = dtype;
      this.width = width;
    }
  }

  private record StorageType(@Nullable DType dtype, int width) {}

  private record Tensor(Storage storage, long offset, long[] size, long[] stride) {}

  /** A TorchScript module. */
  private static final class Module {
    @Nullable Object state;
  }

  private enum Function {
    ORDERED_DICT,
    REBUILD_TENSOR,
    FIRST_ARGUMENT,
    NEW_MODULE,
    NOTHING
  }

  /** Whether a file's first bytes are those of a torch file. */
  static boolean isTorch(byte[] begin) {
    return isZip(begin) || (begin.length > 2 && begin[0] == (byte) 0x80 && begin[1] == 2);
  }

  private static boolean isZip(byte[] begin) {
    return begin.length > 3 && begin[0] == 'P' && begin[1] == 'K' && begin[2] == 3;
  }

  /**
   * Reads all tensors of types that weights have.
   *
   * @throws WeightsException naming the file where it cannot be read, is damaged, or holds more
   *     than tensors
   */
  public static StateDict read(Path file) {
    TorchFile f = new TorchFile(file.toString());
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer begin = ByteBuffer.allocate(4);
      channel.read(begin);
      Object root = isZip(begin.array()) ? f.archive(file) : f.legacy(channel);
      Map<String, WeightTensor> tensors = new LinkedHashMap<>();
      f.collect("", root, tensors, 0);
      if (tensors.isEmpty()) {
        throw new WeightsException(f.source, "holds no tensors");
      }
      return StateDict.of(f.source, tensors);
    } catch (IOException e) {
      throw new WeightsException(f.source, "cannot be read: " + e, e);
    }
  }

  // --- the zip archive ---

  private @Nullable Object archive(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile())) {
      ZipEntry pickle =
          zip.stream()
              .filter(e -> e.getName().equals("data.pkl") || e.getName().endsWith("/data.pkl"))
              .findFirst()
              .orElseThrow(
                  () -> new WeightsException(source, "is no file of torch's: no data.pkl"));
      String folder = pickle.getName().substring(0, pickle.getName().length() - 8);
      ZipEntry order = zip.getEntry(folder + "byteorder");
      if (order != null && !new String(bytes(zip, order), "US-ASCII").equals("little")) {
        throw new WeightsException(source, "its numbers are big-endian");
      }
      if (pickle.getSize() > LARGEST_PICKLE) {
        throw new WeightsException(source, "its data.pkl has " + pickle.getSize() + " bytes");
      }
      Object root = Pickle.read(source, ByteBuffer.wrap(bytes(zip, pickle)), new Meaning());
      for (Map.Entry<String, Storage> s : storages.entrySet()) {
        ZipEntry data = zip.getEntry(folder + "data/" + s.getKey());
        if (data == null) {
          throw new WeightsException(
              source, "is damaged: the storage " + s.getKey() + " is missing");
        }
        s.getValue().data = ByteBuffer.wrap(bytes(zip, data));
      }
      return root;
    }
  }

  private static byte[] bytes(ZipFile zip, ZipEntry e) throws IOException {
    try (InputStream in = zip.getInputStream(e)) {
      return in.readAllBytes();
    }
  }

  // --- the format from before: pickles, then the storages one after another ---

  private @Nullable Object legacy(FileChannel channel) throws IOException {
    if (channel.size() > Integer.MAX_VALUE) {
      throw new WeightsException(source, "is too large for torch's old format");
    }
    ByteBuffer in = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
    Object magic = Pickle.read(source, in, new Meaning());
    if (!(magic instanceof Long m) || m != LEGACY_MAGIC) {
      throw new WeightsException(source, "is no file of torch's");
    }
    Pickle.read(source, in, new Meaning()); // the protocol's version
    Pickle.read(source, in, new Meaning()); // facts of the machine
    Object root = Pickle.read(source, in, new Meaning());
    Object keys = Pickle.read(source, in, new Meaning());
    if (!(keys instanceof List<?> list)) {
      throw new WeightsException(source, "is damaged: it has no list of storages");
    }
    in.order(ByteOrder.LITTLE_ENDIAN);
    for (Object key : list) {
      Storage s = storages.get(String.valueOf(key));
      if (s == null || in.remaining() < Long.BYTES) {
        throw new WeightsException(source, "is cut short or damaged at the storage " + key);
      }
      long bytes = in.getLong() * s.width;
      if (bytes < 0 || bytes > in.remaining()) {
        throw new WeightsException(source, "is cut short");
      }
      s.data = in.slice().limit((int) bytes);
      in.position(in.position() + (int) bytes);
    }
    return root;
  }

  // --- what the pickle's names mean ---

  private final class Meaning implements Pickle.Meanings {
    @Override
    public Object global(String module, String name) {
      if (module.equals("torch") && name.endsWith("Storage")) {
        return type(name.substring(0, name.length() - "Storage".length()));
      }
      if (module.startsWith("__torch__")) {
        return Function.NEW_MODULE;
      }
      return switch (module + "." + name) {
        case "collections.OrderedDict" -> Function.ORDERED_DICT;
        case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor" ->
            Function.REBUILD_TENSOR;
        case "torch._utils._rebuild_parameter" -> Function.FIRST_ARGUMENT;
        case "torch.jit._pickle.build_intlist",
            "torch.jit._pickle.build_doublelist",
            "torch.jit._pickle.build_boollist",
            "torch.jit._pickle.build_tensorlist",
            "torch.jit._pickle.restore_type_tag",
            "torch.jit._pickle.build_tensor_from_id" ->
            Function.FIRST_ARGUMENT;
        case "torch.Size", "torch.device" -> Function.NOTHING;
        default ->
            throw new WeightsException(
                source,
                "refused: it asks to run "
                    + WeightsException.shorten(module + "." + name)
                    + "; a file of weights holds tensors only");
      };
    }

    private StorageType type(String name) {
      return switch (name) {
        case "Float" -> new StorageType(DType.F32, 4);
        case "Half" -> new StorageType(DType.F16, 2);
        case "BFloat16" -> new StorageType(DType.BF16, 2);
        case "Double" -> new StorageType(DType.F64, 8);
        case "Long" -> new StorageType(DType.I64, 8);
        case "Int" -> new StorageType(DType.I32, 4);
        case "Byte" -> new StorageType(DType.U8, 1);
        case "Short" -> new StorageType(null, 2);
        case "Char", "Bool" -> new StorageType(null, 1);
        default -> throw new WeightsException(source, "unknown kind of numbers: " + name);
      };
    }

    @Override
    public @Nullable Object call(Object function, List<@Nullable Object> args) {
      if (!(function instanceof Function f)) {
        throw new WeightsException(source, "is damaged: it calls what is no function");
      }
      return switch (f) {
        case ORDERED_DICT -> ordered(args);
        case REBUILD_TENSOR ->
            new Tensor(
                (Storage) Objects.requireNonNull(args.get(0)),
                (Long) Objects.requireNonNull(args.get(1)),
                longs(args.get(2)),
                longs(args.get(3)));
        case FIRST_ARGUMENT -> args.get(0);
        case NEW_MODULE -> new Module();
        case NOTHING -> null;
      };
    }

    private Object ordered(List<@Nullable Object> args) {
      Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
      if (!args.isEmpty() && args.get(0) instanceof List<?> pairs) {
        for (Object pair : pairs) {
          List<?> p = (List<?>) pair;
          map.put(p.get(0), p.get(1));
        }
      }
      return map;
    }

    private long[] longs(@Nullable Object list) {
      return ((List<?>) Objects.requireNonNull(list)).stream().mapToLong(n -> (Long) n).toArray();
    }

    @Override
    public @Nullable Object persistent(@Nullable Object id) {
      List<?> parts = (List<?>) Objects.requireNonNull(id);
      if (!"storage".equals(parts.get(0)) || !(parts.get(1) instanceof StorageType t)) {
        throw new WeightsException(source, "is damaged: an id of no storage");
      }
      return storages.computeIfAbsent(
          String.valueOf(parts.get(2)), k -> new Storage(t.dtype(), t.width()));
    }

    @Override
    public void setState(@Nullable Object object, @Nullable Object state) {
      if (object instanceof Module m) {
        m.state = state;
      } // else an OrderedDict's _metadata
    }
  }

  // --- tensors by name ---

  private void collect(
      String name, @Nullable Object value, Map<String, WeightTensor> out, int depth) {
    if (depth > 100) {
      throw new WeightsException(source, "is damaged: it is nested without end");
    }
    if (value instanceof Tensor t) {
      if (t.storage().dtype != null) {
        out.put(name, tensor(name, t, t.storage().dtype));
      }
    } else if (value instanceof Module m) {
      collect(name, m.state, out, depth + 1);
    } else if (value instanceof Map<?, ?> map) {
      for (Map.Entry<?, ?> e : map.entrySet()) {
        if (e.getKey() instanceof String key) {
          collect(name.isEmpty() ? key : name + "." + key, e.getValue(), out, depth + 1);
        }
      }
    }
  }

  private WeightTensor tensor(String name, Tensor t, DType dtype) {
    ByteBuffer data = t.storage().data;
    long elements = 1;
    long last = t.offset();
    boolean dense = true;
    for (int i = t.size().length - 1; i >= 0; i--) {
      dense &= t.size()[i] <= 1 || t.stride()[i] == elements;
      if (t.size()[i] < 0 || t.stride()[i] < 0) {
        throw new WeightsException(source, name, "has a negative size");
      }
      elements = Math.multiplyExact(elements, t.size()[i]);
      last += Math.multiplyExact(Math.max(0, t.size()[i] - 1), t.stride()[i]);
    }
    int width = t.storage().width;
    if (data == null || t.offset() < 0 || (elements > 0 && (last + 1) * width > data.limit())) {
      throw new WeightsException(source, name, "lies outside its storage");
    }
    int bytes = Math.toIntExact(Math.multiplyExact(elements, width));
    int begin = Math.toIntExact(t.offset() * width);
    ByteBuffer view =
        dense ? data.duplicate().position(begin).limit(begin + bytes) : gather(t, data, bytes);
    return new WeightTensor(name, source, dtype, Shape.of(t.size()), view);
  }

  private static ByteBuffer gather(Tensor t, ByteBuffer data, int bytes) {
    ByteBuffer out = ByteBuffer.allocate(bytes);
    int width = t.storage().width;
    long[] index = new long[t.size().length];
    byte[] one = new byte[width];
    while (out.hasRemaining()) {
      long at = t.offset();
      for (int i = 0; i < index.length; i++) {
        at += index[i] * t.stride()[i];
      }
      data.get((int) at * width, one);
      out.put(one);
      for (int i = index.length - 1; i >= 0 && ++index[i] == t.size()[i]; i--) {
        index[i] = 0;
      }
    }
    return out.flip();
  }
}
