package io.github.distrifuser.weights;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * Writes a safetensors file: tensors are collected, then written at once. Tensors lie in the order
 * of falling element size, then by name, so that each is aligned to its element size.
 */
public final class SafetensorsWriter {
  private record Item(String name, DType dtype, Shape shape, Supplier<ByteBuffer> data) {
    long bytes() {
      return Math.multiplyExact(shape.elements(), (long) dtype.bytes());
    }
  }

  private final Map<String, Item> items = new TreeMap<>();
  private final Map<String, String> metadata = new TreeMap<>();

  /** Adds an entry of free text, replacing one of the same key. */
  public SafetensorsWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /**
   * Adds a tensor.
   *
   * @param dtype F32, F16 or BF16: what the values are stored as, rounded to nearest even
   * @param values in row-major order; not copied until written
   * @throws IllegalArgumentException for another type, a wrong number of values or a name that is
   *     there already
   */
  public SafetensorsWriter add(String name, DType dtype, Shape shape, float[] values) {
    if (!dtype.isFloat()) {
      throw new IllegalArgumentException(name + ": floats cannot be stored as " + dtype);
    }
    if (values.length != shape.elements()) {
      throw new IllegalArgumentException(
          "%s: expected %d values for %s, found %d"
              .formatted(name, shape.elements(), shape, values.length));
    }
    return put(new Item(name, dtype, shape, () -> encode(dtype, values)));
  }

  /**
   * Adds a tensor.
   *
   * @param data little-endian, from position to limit; not copied until written
   * @throws IllegalArgumentException for a wrong number of bytes or a name that is there already
   */
  public SafetensorsWriter add(String name, DType dtype, Shape shape, ByteBuffer data) {
    ByteBuffer d = data.slice();
    long expected = Math.multiplyExact(shape.elements(), (long) dtype.bytes());
    if (d.remaining() != expected) {
      throw new IllegalArgumentException(
          "%s: expected %d bytes for %s%s, found %d"
              .formatted(name, expected, dtype, shape, d.remaining()));
    }
    return put(new Item(name, dtype, shape, d::duplicate));
  }

  /** Adds a tensor of another file under the name that it has. */
  public SafetensorsWriter add(WeightTensor t) {
    return add(t.name(), t.dtype(), t.shape(), t.data());
  }

  private SafetensorsWriter put(Item item) {
    if (item.name.equals("__metadata__") || items.putIfAbsent(item.name, item) != null) {
      throw new IllegalArgumentException(item.name + ": there already");
    }
    return this;
  }

  /**
   * Writes the file, or leaves what was there untouched: a temporary file beside it is written,
   * then moved over it. The temporary file is gone after a failure.
   *
   * @throws WeightsException if it cannot be written
   */
  public void write(Path file) {
    try {
      AtomicFiles.write(file, this::writeTo);
    } catch (IOException e) {
      throw new WeightsException(file.toString(), String.valueOf(e.getMessage()), e);
    }
  }

  /** The file's bytes. */
  public byte[] toBytes() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      writeTo(Channels.newChannel(out));
    } catch (IOException e) {
      throw new UncheckedIOException("memory", e);
    }
    return out.toByteArray();
  }

  private void writeTo(WritableByteChannel out) throws IOException {
    List<Item> order = new ArrayList<>(items.values());
    order.sort(Comparator.comparingInt((Item i) -> -i.dtype.bytes()).thenComparing(Item::name));
    byte[] json = header(order);
    int padded = (json.length + 7) / 8 * 8;
    ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    head.putLong(padded).put(json);
    while (head.hasRemaining()) {
      head.put((byte) ' ');
    }
    writeAll(out, head.flip());
    for (Item i : order) {
      writeAll(out, i.data.get());
    }
  }

  private byte[] header(List<Item> order) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    if (!metadata.isEmpty()) {
      metadata.forEach(root.putObject("__metadata__")::put);
    }
    long at = 0;
    for (Item i : order) {
      ObjectNode n = root.putObject(i.name);
      n.put("dtype", i.dtype.name());
      var dims = n.putArray("shape");
      for (long d : i.shape.toArray()) {
        dims.add(d);
      }
      long end = Math.addExact(at, i.bytes());
      n.putArray("data_offsets").add(at).add(end);
      at = end;
    }
    return mapper.writeValueAsBytes(root);
  }

  private static void writeAll(WritableByteChannel out, ByteBuffer data) throws IOException {
    while (data.hasRemaining()) {
      out.write(data);
    }
  }

  private static ByteBuffer encode(DType dtype, float[] values) {
    int bytes = Math.multiplyExact(values.length, dtype.bytes());
    ByteBuffer b = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (float v : values) {
      switch (dtype) {
        case F32 -> b.putFloat(v);
        case F16 -> b.putShort(HalfFloats.floatToF16(v));
        case BF16 -> b.putShort(HalfFloats.floatToBf16(v));
        default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
      }
    }
    return b.flip();
  }
}
