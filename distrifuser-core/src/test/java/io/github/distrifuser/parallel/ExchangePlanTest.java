package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ExchangePlanTest {

  @Test
  void entriesAreNumberedAndSummedByKind() {
    ExchangePlan plan = new ExchangePlan();
    plan.add("conv1", ExchangeKind.HALO, List.of(10L, 20L), List.of(0, 2));
    plan.add("attn1", ExchangeKind.KEY_VALUE, List.of(100L, 100L), List.of(0, 2));
    ExchangePlan.Entry last = plan.add("conv2", ExchangeKind.HALO, List.of(3L), List.of(2));
    assertEquals(2, last.slot());
    assertEquals(3, last.totalBytes());
    assertEquals(List.of("conv1", "attn1", "conv2"), layers(plan));
    assertEquals(Map.of(ExchangeKind.HALO, 33L, ExchangeKind.KEY_VALUE, 200L), plan.bytesByKind());
    assertThrows(UnsupportedOperationException.class, () -> plan.entries().clear());
    plan.clear();
    assertTrue(plan.entries().isEmpty());
    assertTrue(plan.bytesByKind().isEmpty());
  }

  private static List<String> layers(ExchangePlan plan) {
    return plan.entries().stream().map(ExchangePlan.Entry::layer).toList();
  }
}
