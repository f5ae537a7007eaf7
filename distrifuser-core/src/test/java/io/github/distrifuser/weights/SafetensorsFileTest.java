package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  @TempDir Path dir;

  /** A file with this header (not padded) and so many bytes of data: 0, 1, 2, ... */
  private static byte[] file(String header, int data) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer b = ByteBuffer.allocate(8 + json.length + data).order(ByteOrder.LITTLE_ENDIAN);
    b.putLong(json.length).put(json);
    for (int i = 0; i < data; i++) {
      b.put((byte) i);
    }
    return b.array();
  }

  private static String error(byte[] bytes) {
    String message =
        assertThrows(WeightsException.class, () -> SafetensorsFile.of("unet/x.safetensors", bytes))
            .getMessage();
    assertTrue(message.startsWith("unet/x.safetensors: "), message);
    assertTrue(message.chars().noneMatch(Character::isISOControl), message);
    return message;
  }

  @Test
  void readsWhatTheWriterWrote() throws IOException {
    Path p = dir.resolve("a.safetensors");
    float[] values = {1f, -2.5f, 3.25f, 0f, 65504f, -1e-3f};
    byte[] ids = {1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0};
    new SafetensorsWriter()
        .metadata("format", "pt")
        .add("half", DType.F16, Shape.of(2, 3), values)
        .add("brain", DType.BF16, Shape.of(6), values)
        .add("full", DType.F32, Shape.of(3, 1, 2), values)
        .add("scalar", DType.F32, Shape.of(), new float[] {7f})
        .add("none", DType.F32, Shape.of(0, 5), new float[0])
        .add("ids", DType.I64, Shape.of(2), ByteBuffer.wrap(ids))
        .write(p);
    try (SafetensorsFile f = SafetensorsFile.open(p)) {
      assertEquals(Map.of("format", "pt"), f.metadata());
      assertEquals(6, f.names().size());
      assertArrayEquals(values, f.get("full").toFloats());
      assertEquals(Shape.of(3, 1, 2), f.get("full").shape());
      assertArrayEquals(
          new float[] {1f, -2.5f, 3.25f, 0f, 65504f}, head(f.get("half").toFloats()), 0f);
      assertEquals(-1e-3f, f.get("half").toFloats()[5], 1e-6f);
      assertEquals(65536f, f.get("brain").toFloats()[4]);
      assertArrayEquals(new float[] {7f}, f.get("scalar").toFloats());
      assertEquals(0, f.get("none").toFloats().length);
      assertEquals(9, f.get("ids").data().getLong(8));
      assertTrue(f.get("full").data().isDirect());
      assertEquals(24, f.info("full").bytes());
    }
    try (var files = Files.list(dir)) {
      assertEquals(List.of(p), files.toList());
    }
  }

  private static float[] head(float[] v) {
    return Arrays.copyOf(v, 5);
  }

  @Test
  void writerBytesEqualItsFile() throws IOException {
    SafetensorsWriter w =
        new SafetensorsWriter().add("w", DType.BF16, Shape.of(2), new float[] {1, 2});
    Path p = dir.resolve("w.safetensors");
    Files.writeString(p, "what was there before");
    w.write(p);
    assertArrayEquals(w.toBytes(), Files.readAllBytes(p));
    assertEquals(0, (Files.size(p) - 4) % 8);
  }

  @Test
  void failedWriteLeavesNothing() throws IOException {
    Path target = Files.createDirectories(dir.resolve("taken.safetensors/inside"));
    SafetensorsWriter w = new SafetensorsWriter().add("w", DType.F32, Shape.of(1), new float[] {1});
    WeightsException e = assertThrows(WeightsException.class, () -> w.write(target.getParent()));
    assertTrue(e.getMessage().contains("cannot be written"), e.getMessage());
    try (var files = Files.list(dir)) {
      assertEquals(List.of(target.getParent()), files.toList());
    }
    assertThrows(WeightsException.class, () -> w.write(dir.resolve("no/such/x.safetensors")));
  }

  @Test
  void writerRefusesWrongSizes() {
    SafetensorsWriter w = new SafetensorsWriter();
    assertThrows(
        IllegalArgumentException.class, () -> w.add("w", DType.F32, Shape.of(2), new float[] {1}));
    assertThrows(
        IllegalArgumentException.class, () -> w.add("w", DType.I64, Shape.of(1), new float[] {1}));
    assertThrows(
        IllegalArgumentException.class,
        () -> w.add("w", DType.F32, Shape.of(2), ByteBuffer.allocate(7)));
    w.add("w", DType.F32, Shape.of(1), new float[] {1});
    assertThrows(
        IllegalArgumentException.class, () -> w.add("w", DType.F32, Shape.of(1), new float[] {1}));
  }

  @Test
  void tensorsOutliveTheFile() throws IOException {
    Path p = dir.resolve("a.safetensors");
    new SafetensorsWriter().add("w", DType.F32, Shape.of(2), new float[] {3, 4}).write(p);
    SafetensorsFile f = SafetensorsFile.open(p);
    WeightTensor t = f.get("w");
    f.close();
    f.close();
    assertTrue(f.isClosed());
    assertArrayEquals(new float[] {3, 4}, t.toFloats());
    String message = assertThrows(IllegalStateException.class, () -> f.get("w")).getMessage();
    assertTrue(message.contains("already closed"), message);
  }

  @Test
  void emptyFileIsValid() {
    assertTrue(SafetensorsFile.of("x", file("{}", 0)).names().isEmpty());
    assertTrue(SafetensorsFile.of("x", file("{}   ", 0)).names().isEmpty());
  }

  @ParameterizedTest
  @CsvSource({"BOOL,8", "I8,8", "U16,16", "F8_E4M3,8", "F8_E5M2,8", "U64,64", "C64,64", "F4,4"})
  void typesThatCannotBeReadDoNotHinderTheOthers(String dtype, int bits) {
    int bytes = 4 * bits / 8;
    String header =
        "{\"odd\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%d]},".formatted(dtype, bytes)
            + "\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[%d,%d]}}"
                .formatted(bytes, bytes + 2);
    SafetensorsFile f = SafetensorsFile.of("x", file(header, bytes + 2));
    assertEquals(dtype, f.info("odd").dtype());
    assertEquals(bytes, f.get("w").data().get(0));
    String message = assertThrows(WeightsException.class, () -> f.get("odd")).getMessage();
    assertTrue(message.startsWith("x: odd: dtype " + dtype + " cannot be read"), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[]|does not begin with '{'",
        "null|does not begin with '{'",
        "{|not valid JSON",
        "{}{}|has more after its object",
        "{} x|not valid JSON",
        "{'w':1}|w: expected an object, found 1",
        "{'w':{}}|w: lacks dtype",
        "{'w':{'dtype':'F32','data_offsets':[0,4]}}|w: lacks shape",
        "{'w':{'dtype':'F32','shape':[1]}}|w: lacks data_offsets",
        "{'w':{'dtype':'F33','shape':[1],'data_offsets':[0,4]}}|w: unknown dtype 'F33'",
        "{'w':{'dtype':7,'shape':[1],'data_offsets':[0,4]}}|w: dtype: expected a string, found 7",
        "{'w':{'dtype':'F32','shape':1,'data_offsets':[0,4]}}|w: shape: expected a list",
        "{'w':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}|w: shape: expected integers",
        "{'w':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}|shape: expected integers",
        "{'w':{'dtype':'F32','shape':['1'],'data_offsets':[0,4]}}|shape: expected integers",
        "{'w':{'dtype':'F32','shape':[9223372036854775808],'data_offsets':[0,4]}}|shape: expected",
        "{'w':{'dtype':'F32','shape':[4611686018427387904],'data_offsets':[0,4]}}|overflows",
        "{'w':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,4]}}|overflows",
        "{'w':{'dtype':'F32','shape':[1],'data_offsets':[0]}}|expected two integers, found 1",
        "{'w':{'dtype':'F32','shape':[1],'data_offsets':[0,4,8]}}|expected two integers, found 3",
        "{'w':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}|[4, 0] end before they begin",
        "{'w':{'dtype':'F32','shape':[1],'data_offsets':[0,99999999999]}}"
            + "|w: data_offsets [0, 99999999999] reach beyond the file's data (4 bytes)",
        "{'w':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}|expected 8 bytes for F32[2]",
        "{'w':{'dtype':'F4','shape':[3],'data_offsets':[0,4]}}|does not fill whole bytes",
        "{'w':{'dtype':'U8','shape':[2],'data_offsets':[0,2]}}|2 bytes after the last tensor",
        "{'w':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}|[0, 2) before it belong to no",
        "{'w':{'dtype':'U8','shape':[3],'data_offsets':[0,3]},"
            + "'v':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}"
            + "|v: data_offsets [2, 4] overlap with w, which ends at 3",
        "{'w':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},"
            + "'w':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}|Duplicate field 'w'",
        "{'__metadata__':{'a':1}}|__metadata__: a: expected a string, found 1",
        "{'__metadata__':[]}|__metadata__: expected an object, found a list"
      })
  void malformedHeaders(String header, String expected) {
    String message = error(file(header.replace('\'', '"'), 4));
    assertTrue(message.contains(expected), message);
  }

  @Test
  void malformedLengths() {
    assertTrue(error(new byte[0]).contains("0 bytes, expected at least 8"));
    assertTrue(error(new byte[7]).contains("7 bytes, expected at least 8"));
    byte[] pointer =
        "version https://git-lfs.github.com/spec/v1\n".getBytes(StandardCharsets.UTF_8);
    assertTrue(error(pointer).contains("is a Git LFS pointer"));
    assertTrue(error(new byte[8]).contains("does not begin with"));
    byte[] huge = file("{}", 0);
    huge[7] = (byte) 0x80;
    assertTrue(error(huge).contains("header length 9223372036854775810 is above the limit"));
    byte[] beyond = file("{}", 0);
    beyond[0] = 3;
    assertTrue(error(beyond).contains("header of 3 bytes reaches beyond the file (10 bytes)"));
    byte[] utf = file("{\"a\":0}", 0);
    utf[10] = (byte) 0xff;
    assertTrue(error(utf).contains("not UTF-8"));
    assertTrue(error(file("[".repeat(5000), 0)).contains("does not begin"));
    String deep = "{\"w\":{\"x\":" + "[".repeat(5000);
    assertTrue(error(file(deep, 0)).contains("not valid JSON"));
  }

  @Test
  void messagesStayOnOneLineWhateverTheName() {
    String name = "evil\\nname\\u0000" + "x".repeat(5000);
    assertTrue(error(file("{\"" + name + "\":1}", 0)).length() < 400);
  }

  @Test
  void unreadableFiles() {
    Path none = dir.resolve("none.safetensors");
    String message =
        assertThrows(WeightsException.class, () -> SafetensorsFile.open(none)).getMessage();
    assertTrue(message.contains("none.safetensors: no such file"), message);
    message = assertThrows(WeightsException.class, () -> SafetensorsFile.open(dir)).getMessage();
    assertTrue(message.contains("is a folder"), message);
  }

  @Test
  void truncatedOrLongerFilesOnDisk() throws IOException {
    byte[] good = new SafetensorsWriter().add("w", DType.F32, Shape.of(5), new float[5]).toBytes();
    Path p = dir.resolve("cut.safetensors");
    for (int n = 0; n < good.length; n++) {
      Files.write(p, Arrays.copyOf(good, n));
      assertThrows(WeightsException.class, () -> SafetensorsFile.open(p));
    }
    Files.write(p, Arrays.copyOf(good, good.length + 1));
    String message =
        assertThrows(WeightsException.class, () -> SafetensorsFile.open(p)).getMessage();
    assertTrue(message.contains("1 bytes after the last tensor"), message);
  }

  /** However a file is damaged: a WeightsException, or tensors that can be read. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void corruptedFilesNeverGiveAnythingElse(long seed) {
    byte[] good =
        new SafetensorsWriter()
            .metadata("format", "pt")
            .add("conv.weight", DType.F16, Shape.of(2, 3), new float[6])
            .add("conv.bias", DType.F32, Shape.of(2), new float[2])
            .add("empty", DType.F32, Shape.of(0), new float[0])
            .add("ids", DType.I64, Shape.of(1), ByteBuffer.allocate(8))
            .toBytes();
    Random r = new Random(seed);
    String palette = "0123456789-{}[]\",:.eE+ \\tnulF\n\u0000";
    int refused = 0;
    int rounds = 5000;
    for (int round = 0; round < rounds; round++) {
      byte[] bad = good.clone();
      int edits = 1 + r.nextInt(4);
      for (int i = 0; i < edits; i++) {
        int at = r.nextInt(4) == 0 ? r.nextInt(8) : r.nextInt(bad.length);
        switch (r.nextInt(4)) {
          case 0 -> bad[at] = (byte) r.nextInt(256);
          case 1 -> bad[at] = (byte) palette.charAt(r.nextInt(palette.length()));
          case 2 -> bad = without(bad, at);
          default -> bad = with(bad, at, (byte) palette.charAt(r.nextInt(palette.length())));
        }
      }
      try {
        SafetensorsFile f = SafetensorsFile.of("x", bad);
        for (String name : f.names()) {
          if (!f.info(name).dtype().matches("F32|F16|BF16")) {
            continue;
          }
          assertEquals(f.info(name).shape().elements(), f.get(name).toFloats().length);
        }
      } catch (WeightsException e) {
        refused++;
        assertTrue(e.getMessage().startsWith("x: "), e.getMessage());
      }
    }
    assertTrue(refused > rounds / 2, "only " + refused + " refused");
  }

  private static byte[] without(byte[] b, int at) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(b, 0, at);
    out.write(b, at + 1, b.length - at - 1);
    return out.toByteArray();
  }

  private static byte[] with(byte[] b, int at, byte add) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(b, 0, at);
    out.write(add);
    out.write(b, at, b.length - at);
    return out.toByteArray();
  }

  /** Five gigabytes that take no room on disk. */
  @Test
  void filesAboveTwoGibibytes() throws IOException {
    long big = 3L << 30;
    long part = 1L << 30;
    String header =
        ("{'huge':{'dtype':'F16','shape':[%d],'data_offsets':[0,%d]},"
                + "'a':{'dtype':'F16','shape':[%d],'data_offsets':[%d,%d]},"
                + "'b':{'dtype':'F16','shape':[%d],'data_offsets':[%d,%d]},"
                + "'last':{'dtype':'F32','shape':[1],'data_offsets':[%d,%d]}}")
            .formatted(
                big / 2,
                big,
                part / 2,
                big,
                big + part,
                part / 2,
                big + part,
                big + 2 * part,
                big + 2 * part,
                big + 2 * part + 4)
            .replace('\'', '"');
    byte[] head = file(header, 0);
    Path p = Files.createTempFile(Path.of("target"), "sparse", ".safetensors");
    try {
      try (FileChannel c =
          FileChannel.open(p, StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
        c.write(ByteBuffer.wrap(head), 0);
        ByteBuffer half = ByteBuffer.wrap(new byte[] {0, 0x3c}); // 1.0
        c.write(half, head.length + big + part - 2);
        ByteBuffer three = ByteBuffer.wrap(new byte[] {0, 0, 0x40, 0x40}); // 3.0
        c.write(three, head.length + big + 2 * part);
      }
      try (SafetensorsFile f = SafetensorsFile.open(p, "big.safetensors")) {
        WeightTensor a = f.get("a");
        assertEquals(1f, a.at(part / 2 - 1));
        assertEquals(0f, a.at(part / 2 - 2));
        assertEquals(0f, f.get("b").at(0));
        assertArrayEquals(new float[] {3f}, f.get("last").toFloats());
        String message = assertThrows(WeightsException.class, () -> f.get("huge")).getMessage();
        assertEquals(
            "big.safetensors: huge: 3221225472 bytes, expected at most 2147483647 for one tensor",
            message);
      }
    } finally {
      Files.delete(p);
    }
    assertFalse(Files.exists(p));
  }
}
