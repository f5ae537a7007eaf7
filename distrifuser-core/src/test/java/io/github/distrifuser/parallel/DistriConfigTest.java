package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DistriConfigTest {

  @Test
  void defaultsAreTheOriginals() {
    assertEquals(
        new DistriConfig(
            1024,
            1024,
            true,
            true,
            4,
            60,
            SyncMode.CORRECTED_ASYNC_GN,
            true,
            Parallelism.PATCH,
            SplitScheme.ROW),
        DistriConfig.defaults());
  }

  @Test
  void aBuilderSetsEachFieldAndStartsFromAnyValues() {
    DistriConfig c =
        DistriConfig.builder()
            .height(512)
            .width(768)
            .doClassifierFreeGuidance(false)
            .splitBatch(false)
            .warmupSteps(0)
            .commCheckpoint(1)
            .mode("stale_gn")
            .useCudaGraph(false)
            .parallelism("naive_patch")
            .splitScheme("alternate")
            .build();
    assertEquals(
        new DistriConfig(
            512,
            768,
            false,
            false,
            0,
            1,
            SyncMode.STALE_GN,
            false,
            Parallelism.NAIVE_PATCH,
            SplitScheme.ALTERNATE),
        c);
    assertEquals(c, c.toBuilder().build());
    assertEquals(1024, c.toBuilder().height(1024).build().height());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -8, 7, 1020, 12})
  void sizesAreMultiplesOfEight(int pixels) {
    assertEquals(
        "height has to be a positive multiple of 8 but is " + pixels,
        assertThrows(
                IllegalArgumentException.class, () -> DistriConfig.builder().height(pixels).build())
            .getMessage());
    assertEquals(
        "width has to be a positive multiple of 8 but is " + pixels,
        assertThrows(
                IllegalArgumentException.class, () -> DistriConfig.builder().width(pixels).build())
            .getMessage());
  }

  @Test
  void stepsAndMessagesAreChecked() {
    assertEquals(
        "warmup_steps must not be negative, but is -1",
        assertThrows(
                IllegalArgumentException.class,
                () -> DistriConfig.builder().warmupSteps(-1).build())
            .getMessage());
    assertEquals(
        "comm_checkpoint must be positive, but is 0",
        assertThrows(
                IllegalArgumentException.class,
                () -> DistriConfig.builder().commCheckpoint(0).build())
            .getMessage());
  }

  private static <T> void names(
      List<String> expected, T[] values, Function<T, String> name, Function<String, T> parse) {
    assertEquals(expected, Stream.of(values).map(name).toList());
    for (T v : values) {
      assertEquals(v, parse.apply(name.apply(v)));
    }
    for (String wrong : List.of("", "Patch", "PATCH", "full sync", "rows")) {
      String message =
          assertThrows(IllegalArgumentException.class, () -> parse.apply(wrong)).getMessage();
      assertTrue(message.contains("'" + wrong + "'"), message);
      assertTrue(message.endsWith("choose from " + String.join(", ", expected)), message);
    }
  }

  @Test
  void namesAreTheOriginalsAndWrongOnesListThem() {
    names(
        List.of("corrected_async_gn", "stale_gn", "sync_gn", "separate_gn", "full_sync", "no_sync"),
        SyncMode.values(),
        SyncMode::optionName,
        SyncMode::of);
    names(
        List.of("patch", "tensor", "naive_patch"),
        Parallelism.values(),
        Parallelism::optionName,
        Parallelism::of);
    names(
        List.of("row", "col", "alternate"),
        SplitScheme.values(),
        SplitScheme::optionName,
        SplitScheme::of);
  }
}
