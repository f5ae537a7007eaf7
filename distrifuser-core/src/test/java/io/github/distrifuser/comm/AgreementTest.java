package io.github.distrifuser.comm;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.distrifuser.parallel.Ranks;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AgreementTest {
  @Test
  void ranksThatAgreeGoOn() {
    Map<String, String> facts = Map.of("model", "12ab", "size", "1024 x 1024");
    Ranks.run(
        3,
        c -> {
          assertDoesNotThrow(() -> Agreement.agree(c, facts));
          return 0;
        });
    Agreement.agree(new SoloCommunicator(), facts);
  }

  @Test
  void allHearWhoDisagreesAndHow() {
    List<String> messages =
        Ranks.run(
            3,
            c -> {
              Map<String, String> facts =
                  Map.of("model", "12ab", "size", c.rank() == 2 ? "512 x 512" : "1024 x 1024");
              CommException e = assertThrows(CommException.class, () -> Agreement.agree(c, facts));
              assertEquals(2, e.rank());
              return e.getMessage();
            });
    for (String m : messages) {
      assertEquals("rank 2 disagrees with rank 0: size 512 x 512 against 1024 x 1024", m);
    }
  }

  @Test
  void aFactThatOneLacksIsADifference() {
    assertEquals(
        "rank 3 disagrees with rank 1: lora (none) against x",
        Agreement.difference(1, Map.of("a", "b", "lora", "x"), 3, Map.of("a", "b")));
    assertNull(Agreement.difference(0, Map.of("a", "b"), 1, Map.of("a", "b")));
  }

  @Test
  void longValuesAreCut() {
    String message =
        Agreement.difference(0, Map.of("a", "x".repeat(100)), 1, Map.of("a", "y".repeat(100)));
    assertEquals(
        "rank 1 disagrees with rank 0: a " + "y".repeat(80) + "… against " + "x".repeat(80) + "…",
        message);
  }

  @Test
  void aFactTooLongIsRefused() {
    Map<String, String> facts = Map.of("a", "x".repeat(70_000));
    assertThrows(
        IllegalArgumentException.class, () -> Agreement.agree(new SoloCommunicator(), facts));
  }
}
