package io.github.distrifuser.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.github.distrifuser.tensor.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Reads and checks the JSON header of a safetensors file. Nothing in it is trusted: after {@link
 * #parse} every tensor lies within the data, has the size that its type and shape ask for, and the
 * tensors fill the data without gap or overlap, as the format demands.
 *
 * @param tensors by name, in the order in which their bytes lie in the file
 * @param metadata the header's free text
 */
record SafetensorsHeader(Map<String, TensorInfo> tensors, Map<String, String> metadata) {

  /** Bytes before the header: its length, little-endian. */
  static final int PREFIX = 8;

  /** Longest header that is read, in bytes; the format's own limit. */
  static final long MAX_LENGTH = 100_000_000;

  /** The first eight bytes of a Git LFS pointer, {@code "version "}, as a little-endian number. */
  private static final long LFS_POINTER = 0x206e6f6973726576L;

  /** Bits of one element, for every type that the format knows. */
  private static final Map<String, Integer> BITS = new TreeMap<>();

  static {
    bits(4, "F4");
    bits(6, "F6_E2M3", "F6_E3M2");
    bits(8, "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ");
    bits(16, "I16", "U16", "F16", "BF16");
    bits(32, "I32", "U32", "F32");
    bits(64, "I64", "U64", "F64", "C64");
  }

  private static void bits(int n, String... types) {
    for (String t : types) {
      BITS.put(t, n);
    }
  }

  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  /**
   * Checks the first eight bytes of a file.
   *
   * @return the header's length in bytes
   */
  static int length(String source, long declared, long fileSize) {
    if (declared == LFS_POINTER) {
      throw new WeightsException(
          source, "is a Git LFS pointer, not the weights: 'git lfs pull' fetches them");
    }
    if (declared < 0 || declared > MAX_LENGTH) {
      throw new WeightsException(
          source,
          "header length %s is above the limit of %d bytes; not a safetensors file?"
              .formatted(Long.toUnsignedString(declared), MAX_LENGTH));
    }
    if (declared > fileSize - PREFIX) {
      throw new WeightsException(
          source,
          "header of %d bytes reaches beyond the file (%d bytes); truncated?"
              .formatted(declared, fileSize));
    }
    return (int) declared;
  }

  /**
   * Parses a header.
   *
   * @param json the header's bytes
   * @param dataSize bytes after the header
   */
  static SafetensorsHeader parse(String source, ByteBuffer json, long dataSize) {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(json.duplicate()).toString();
    } catch (CharacterCodingException e) {
      throw new WeightsException(source, "header is not UTF-8", e);
    }
    if (!text.startsWith("{")) {
      throw new WeightsException(source, "header does not begin with '{'");
    }
    Parser p = new Parser(source, dataSize);
    try (JsonParser in = JSON.createParser(text)) {
      p.header(in);
    } catch (JsonProcessingException e) {
      throw new WeightsException(source, "header is not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new WeightsException(source, "header cannot be read: " + e.getMessage(), e);
    }
    return new SafetensorsHeader(
        Collections.unmodifiableMap(p.inOrder()), Collections.unmodifiableMap(p.metadata));
  }

  private static final class Parser {
    final String source;
    final long dataSize;
    final List<TensorInfo> tensors = new ArrayList<>();
    final Map<String, String> metadata = new LinkedHashMap<>();

    Parser(String source, long dataSize) {
      this.source = source;
      this.dataSize = dataSize;
    }

    void header(JsonParser in) throws IOException {
      in.nextToken();
      for (String name = in.nextFieldName(); name != null; name = in.nextFieldName()) {
        if (in.nextToken() != JsonToken.START_OBJECT) {
          throw error(name, "expected an object, found " + found(in));
        }
        if (name.equals("__metadata__")) {
          metadata(in);
        } else {
          tensors.add(tensor(name, in));
        }
      }
      if (in.nextToken() != null) {
        throw new WeightsException(source, "header has more after its object: " + found(in));
      }
    }

    private void metadata(JsonParser in) throws IOException {
      for (String key = in.nextFieldName(); key != null; key = in.nextFieldName()) {
        if (in.nextToken() != JsonToken.VALUE_STRING) {
          throw error("__metadata__", key + ": expected a string, found " + found(in));
        }
        metadata.put(key, in.getText());
      }
    }

    private TensorInfo tensor(String name, JsonParser in) throws IOException {
      String dtype = null;
      long[] shape = null;
      long[] offsets = null;
      for (String key = in.nextFieldName(); key != null; key = in.nextFieldName()) {
        in.nextToken();
        switch (key) {
          case "dtype" -> {
            if (in.currentToken() != JsonToken.VALUE_STRING) {
              throw error(name, "dtype: expected a string, found " + found(in));
            }
            dtype = in.getText();
          }
          case "shape" -> shape = longs(name, key, in);
          case "data_offsets" -> offsets = longs(name, key, in);
          default -> in.skipChildren();
        }
      }
      return check(name, dtype, shape, offsets);
    }

    private long[] longs(String name, String key, JsonParser in) throws IOException {
      if (in.currentToken() != JsonToken.START_ARRAY) {
        throw error(name, key + ": expected a list of integers, found " + found(in));
      }
      List<Long> out = new ArrayList<>();
      while (in.nextToken() != JsonToken.END_ARRAY) {
        boolean fits =
            in.currentToken() == JsonToken.VALUE_NUMBER_INT
                && in.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
        if (!fits || in.getLongValue() < 0) {
          throw error(
              name, "%s: expected integers from 0 to 2^63 - 1, found %s".formatted(key, found(in)));
        }
        out.add(in.getLongValue());
      }
      return out.stream().mapToLong(Long::longValue).toArray();
    }

    private TensorInfo check(
        String name, @Nullable String dtype, long @Nullable [] dims, long @Nullable [] offsets) {
      if (dtype == null || dims == null || offsets == null) {
        String lacks = dtype == null ? "dtype" : dims == null ? "shape" : "data_offsets";
        throw error(name, "lacks " + lacks);
      }
      Integer bits = BITS.get(dtype);
      if (bits == null) {
        throw error(name, "unknown dtype '%s': expected one of %s".formatted(dtype, BITS.keySet()));
      }
      Shape shape;
      long size;
      try {
        shape = Shape.of(dims);
        size = Math.multiplyExact(shape.elements(), bits.longValue());
      } catch (ArithmeticException e) {
        throw error(
            name, "shape %s of %s: its size overflows".formatted(List.of(boxed(dims)), dtype));
      }
      if (size % 8 != 0) {
        throw error(name, "%s%s does not fill whole bytes".formatted(dtype, shape));
      }
      size /= 8;
      if (offsets.length != 2) {
        throw error(name, "data_offsets: expected two integers, found " + offsets.length);
      }
      long begin = offsets[0];
      long end = offsets[1];
      String range = "data_offsets [%d, %d]".formatted(begin, end);
      if (begin > end) {
        throw error(name, range + " end before they begin");
      }
      if (end > dataSize) {
        throw error(name, range + " reach beyond the file's data (%d bytes)".formatted(dataSize));
      }
      if (end - begin != size) {
        throw error(name, range + ": expected %d bytes for %s%s".formatted(size, dtype, shape));
      }
      return new TensorInfo(name, dtype, shape, begin, end);
    }

    /** Sorts by place, and checks that the tensors fill the data. */
    Map<String, TensorInfo> inOrder() {
      tensors.sort(
          Comparator.comparingLong(TensorInfo::begin)
              .thenComparingLong(TensorInfo::end)
              .thenComparing(TensorInfo::name));
      Map<String, TensorInfo> out = new LinkedHashMap<>();
      long at = 0;
      String before = "";
      for (TensorInfo t : tensors) {
        if (t.begin() < at) {
          throw error(
              t.name(),
              "data_offsets [%d, %d] overlap with %s, which ends at %d"
                  .formatted(t.begin(), t.end(), WeightsException.shorten(before), at));
        }
        if (t.begin() > at) {
          throw error(
              t.name(), "bytes [%d, %d) before it belong to no tensor".formatted(at, t.begin()));
        }
        at = t.end();
        before = t.name();
        out.put(t.name(), t);
      }
      if (at != dataSize) {
        throw new WeightsException(
            source,
            "%d bytes after the last tensor (it ends at byte %d of %d bytes of data)"
                .formatted(dataSize - at, at, dataSize));
      }
      return out;
    }

    private WeightsException error(String name, String problem) {
      return new WeightsException(source, name, problem);
    }

    private static Long[] boxed(long[] dims) {
      Long[] out = new Long[dims.length];
      for (int i = 0; i < dims.length; i++) {
        out[i] = dims[i];
      }
      return out;
    }

    private static String found(JsonParser in) throws IOException {
      JsonToken t = in.currentToken();
      if (t == null) {
        return "the header's end";
      }
      return switch (t) {
        case START_OBJECT -> "an object";
        case START_ARRAY -> "a list";
        case VALUE_STRING -> '"' + WeightsException.shorten(in.getText()) + '"';
        default -> WeightsException.shorten(in.getText());
      };
    }
  }
}
