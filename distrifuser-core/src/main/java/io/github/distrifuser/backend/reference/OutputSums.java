package io.github.distrifuser.backend.reference;

import java.util.Arrays;

/**
 * The sums {@code bias[o] + sum_i x[i] w[i][o]} of all outputs of one row or pixel. Sixteen
 * products at a time are added in float, which the compiler vectorises, and those in double, so
 * that long sums lose nothing.
 */
final class OutputSums {
  private static final int BLOCK = 16;

  private final ReferenceWeight weight;
  private final float[] values;
  private final int outputs;
  private final int spacing;
  private final double[] sums;
  private final float[] block;

  OutputSums(ReferenceWeight weight) {
    this.weight = weight;
    this.values = weight.values();
    this.outputs = weight.outputs();
    this.spacing = weight.spacing();
    this.sums = new double[outputs];
    this.block = new float[outputs];
  }

  /** Starts with the bias. */
  void begin() {
    weight.bias(sums);
  }

  /** Adds {@code inputs} products, the first with the weights of {@code firstInput}. */
  void add(float[] x, int from, int inputs, int firstInput) {
    int w = firstInput * spacing + weight.firstRow();
    for (int i = 0; i < inputs; i += BLOCK, w += BLOCK * spacing) {
      addBlock(x, from + i, Math.min(BLOCK, inputs - i), w);
    }
  }

  private void addBlock(float[] x, int from, int inputs, int w) {
    Arrays.fill(block, 0);
    int i = 0;
    for (; i + 4 <= inputs; i += 4) {
      addFour(x, from + i, values, w + i * spacing, spacing, block);
    }
    for (; i < inputs; i++) {
      addOne(x[from + i], values, w + i * spacing, block);
    }
    for (int o = 0; o < outputs; o++) {
      sums[o] += block[o];
    }
  }

  private static void addOne(float a, float[] v, int w, float[] block) {
    for (int o = 0; o < block.length; o++) {
      block[o] += a * v[w + o];
    }
  }

  /** Four inputs at a time, so that the outputs are loaded and stored less often. */
  private static void addFour(float[] x, int from, float[] v, int w, int step, float[] block) {
    float a = x[from];
    float b = x[from + 1];
    float c = x[from + 2];
    float d = x[from + 3];
    int w1 = w + step;
    int w2 = w1 + step;
    int w3 = w2 + step;
    for (int o = 0; o < block.length; o++) {
      block[o] += (a * v[w + o] + b * v[w1 + o]) + (c * v[w2 + o] + d * v[w3 + o]);
    }
  }

  /** Writes the sums. */
  void store(float[] y, int at) {
    for (int o = 0; o < outputs; o++) {
      y[at + o] = (float) sums[o];
    }
  }
}
