package io.github.distrifuser.backend.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FunctionsTest {
  /** From mpmath with 30 digits. */
  @ParameterizedTest
  @CsvSource({
    "1e-9, 1.1283791670955125735e-9",
    "0.001, 0.0011283787909692363799",
    "0.1, 0.1124629160182848922",
    "0.25, 0.27632639016823693299",
    "0.5, 0.52049987781304653768",
    "0.75, 0.7111556336535151316",
    "1, 0.84270079294971486934",
    "1.25, 0.92290012825645823014",
    "1.5, 0.96610514647531072707",
    "2, 0.99532226501895273416",
    "2.5, 0.99959304798255504106",
    "3, 0.99997790950300141456",
    "3.5, 0.99999925690162765859",
    "4, 0.99999998458274209972",
    "4.5, 0.99999999980338395585",
    "5, 0.99999999999846254021",
    "5.5, 0.99999999999999264215",
    "5.99, 0.9999999999999999757",
    "6, 0.99999999999999997848",
    "7, 1.0"
  })
  void erfIsExactToDoublePrecision(double x, double expected) {
    assertEquals(expected, Functions.erf(x), 1e-15);
    assertEquals(-expected, Functions.erf(-x), 1e-15);
  }

  @Test
  void erfOfTheUnboundedAndOfNaN() {
    assertEquals(1, Functions.erf(Double.POSITIVE_INFINITY));
    assertEquals(-1, Functions.erf(Double.NEGATIVE_INFINITY));
    assertTrue(Double.isNaN(Functions.erf(Double.NaN)));
    assertEquals(0, Functions.erf(0));
  }

  /** From mpmath: the formula of each activation at 1.5 and -0.7. */
  @ParameterizedTest
  @CsvSource({
    "NONE, 1.5, -0.7",
    "SILU, 1.2263617142904654894, -0.23226855948228372543",
    "GELU, 1.399789198096712901, -0.16937455655615111032",
    "GELU_TANH, 1.3995715769802329224, -0.1694298652948832488",
    "QUICK_GELU, 1.3916621984470765747, -0.16310604827684986383",
    "RELU, 1.5, 0.0"
  })
  void activationsFollowTheirFormulas(Activation a, double at1Point5, double atMinus0Point7) {
    assertEquals(at1Point5, Functions.apply(a, 1.5), 1e-14);
    assertEquals(atMinus0Point7, Functions.apply(a, -0.7), 1e-14);
  }
}
