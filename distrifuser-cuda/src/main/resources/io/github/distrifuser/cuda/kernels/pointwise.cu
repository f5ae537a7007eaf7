// Element by element: activations, sums, and what follows a matrix product or a convolution.

template <int V>
DEVICE void activateAll(const T* x, T* out, long long batch, long long inner, long long xBatchStride, long long outBatchStride, int activation) {
  for (long long b = 0; b < batch; b++) {
    for (long long i = firstIndex() * V; i < inner; i += indexStep() * V) {
      float f[V];
      load<V>(x + b * xBatchStride + i, f);
      UNROLL
      for (int k = 0; k < V; k++) {
        f[k] = activated(f[k], activation);
      }
      store<V>(f, out + b * outBatchStride + i);
    }
  }
}

// out = activation(x), [batch, inner]; out may be x.
KERNEL(activate, 256,
    (const T* x, T* out, long long batch, long long inner, long long xBatchStride, long long outBatchStride, int activation)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(x) && packed<V>(out) && whole<V>(inner, xBatchStride, outBatchStride)) {
    activateAll<V>(x, out, batch, inner, xBatchStride, outBatchStride, activation);
  } else {
    activateAll<1>(x, out, batch, inner, xBatchStride, outBatchStride, activation);
  }
}

template <int V>
DEVICE void addAll(const T* a, const T* b, float scale, T* out, long long batch, long long inner, long long aBatchStride,
    long long bBatchStride, long long outBatchStride) {
  for (long long n = 0; n < batch; n++) {
    for (long long i = firstIndex() * V; i < inner; i += indexStep() * V) {
      float f[V];
      float g[V];
      load<V>(a + n * aBatchStride + i, f);
      load<V>(b + n * bBatchStride + i, g);
      UNROLL
      for (int k = 0; k < V; k++) {
        f[k] += g[k] * scale;
      }
      store<V>(f, out + n * outBatchStride + i);
    }
  }
}

// out = a + b * scale, [batch, inner]; out may be a or b.
KERNEL(addScaled, 256,
    (const T* a, const T* b, float scale, T* out, long long batch, long long inner, long long aBatchStride, long long bBatchStride,
     long long outBatchStride)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(a) && packed<V>(b) && packed<V>(out) && whole<V>(inner, aBatchStride, bBatchStride, outBatchStride)) {
    addAll<V>(a, b, scale, out, batch, inner, aBatchStride, bBatchStride, outBatchStride);
  } else {
    addAll<1>(a, b, scale, out, batch, inner, aBatchStride, bBatchStride, outBatchStride);
  }
}

template <int V>
DEVICE void scaleAll(const T* a, float factor, T* out, long long batch, long long inner, long long aBatchStride, long long outBatchStride) {
  for (long long b = 0; b < batch; b++) {
    for (long long i = firstIndex() * V; i < inner; i += indexStep() * V) {
      float f[V];
      load<V>(a + b * aBatchStride + i, f);
      UNROLL
      for (int k = 0; k < V; k++) {
        f[k] *= factor;
      }
      store<V>(f, out + b * outBatchStride + i);
    }
  }
}

// out = a * factor, [batch, inner]; out may be a.
KERNEL(scale, 256, (const T* a, float factor, T* out, long long batch, long long inner, long long aBatchStride, long long outBatchStride)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(a) && packed<V>(out) && whole<V>(inner, aBatchStride, outBatchStride)) {
    scaleAll<V>(a, factor, out, batch, inner, aBatchStride, outBatchStride);
  } else {
    scaleAll<1>(a, factor, out, batch, inner, aBatchStride, outBatchStride);
  }
}

template <int V>
DEVICE void gegluRows(const T* x, T* out, long long rows, long long rowsPerBatch, int half, long long xBatchStride, long long xRowStride,
    long long outBatchStride, long long outRowStride) {
  const int packs = half / V;
  for (long long i = firstIndex(); i < rows * packs; i += indexStep()) {
    const Division d = divide(i, packs);
    const T* from = x + rowAt(d.quotient, rowsPerBatch, xBatchStride, xRowStride) + d.remainder * V;
    float value[V];
    float gate[V];
    load<V>(from, value);
    load<V>(from + half, gate);
    UNROLL
    for (int k = 0; k < V; k++) {
      value[k] *= gelu(gate[k]);
    }
    store<V>(value, out + rowAt(d.quotient, rowsPerBatch, outBatchStride, outRowStride) + d.remainder * V);
  }
}

// out [rows, half] = v * gelu(g) for x [rows, 2 * half] = v, g.
KERNEL(geglu, 256,
    (const T* x, T* out, long long rows, long long rowsPerBatch, int half, long long xBatchStride, long long xRowStride,
     long long outBatchStride, long long outRowStride)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(x) && packed<V>(out) && whole<V>(half, xBatchStride, xRowStride, outBatchStride, outRowStride)) {
    gegluRows<V>(x, out, rows, rowsPerBatch, half, xBatchStride, xRowStride, outBatchStride, outRowStride);
  } else {
    gegluRows<1>(x, out, rows, rowsPerBatch, half, xBatchStride, xRowStride, outBatchStride, outRowStride);
  }
}

template <int V>
DEVICE void finish(const T* x, const T* bias, const T* channelBias, const T* residual, T* out, long long rows, long long rowsPerBatch,
    int channels, long long xBatchStride, long long xRowStride, long long channelBiasStride, long long residualBatchStride,
    long long residualRowStride, long long outBatchStride, long long outRowStride, int activation) {
  const int packs = channels / V;
  for (long long i = firstIndex(); i < rows * packs; i += indexStep()) {
    const Division d = divide(i, packs);
    const Division row = divide(d.quotient, rowsPerBatch);
    const long long c = d.remainder * V;
    float f[V];
    float g[V];
    load<V>(x + row.quotient * xBatchStride + row.remainder * xRowStride + c, f);
    if (bias != nullptr) {
      load<V>(bias + c, g);
      UNROLL
      for (int k = 0; k < V; k++) {
        f[k] += g[k];
      }
    }
    if (channelBias != nullptr) {
      load<V>(channelBias + row.quotient * channelBiasStride + c, g);
      UNROLL
      for (int k = 0; k < V; k++) {
        f[k] += g[k];
      }
    }
    UNROLL
    for (int k = 0; k < V; k++) {
      f[k] = activated(f[k], activation);
    }
    if (residual != nullptr) {
      load<V>(residual + row.quotient * residualBatchStride + row.remainder * residualRowStride + c, g);
      UNROLL
      for (int k = 0; k < V; k++) {
        f[k] += g[k];
      }
    }
    store<V>(f, out + row.quotient * outBatchStride + row.remainder * outRowStride + c);
  }
}

// out = activation(x + bias + channelBias) + residual: bias [channels], channelBias [batch, channels], the others [rows, channels]; out may be
// x or residual.
KERNEL(epilogue, 256,
    (const T* x, NULLABLE const T* bias, NULLABLE const T* channelBias, NULLABLE const T* residual, T* out, long long rows,
     long long rowsPerBatch, int channels, long long xBatchStride, long long xRowStride, long long channelBiasStride,
     long long residualBatchStride, long long residualRowStride, long long outBatchStride, long long outRowStride, int activation)) {
  constexpr int V = Width<T>::value;
  const bool wide = packed<V>(x) && packed<V>(bias) && packed<V>(channelBias) && packed<V>(residual) && packed<V>(out) &&
      whole<V>(channels, xBatchStride, xRowStride, outBatchStride, outRowStride) &&
      (channelBias == nullptr || whole<V>(channelBiasStride)) &&
      (residual == nullptr || whole<V>(residualBatchStride, residualRowStride));
  if (wide) {
    finish<V>(x, bias, channelBias, residual, out, rows, rowsPerBatch, channels, xBatchStride, xRowStride, channelBiasStride,
        residualBatchStride, residualRowStride, outBatchStride, outRowStride, activation);
  } else {
    finish<1>(x, bias, channelBias, residual, out, rows, rowsPerBatch, channels, xBatchStride, xRowStride, channelBiasStride,
        residualBatchStride, residualRowStride, outBatchStride, outRowStride, activation);
  }
}

// Classifier-free guidance: out = uncond + scale * (cond - uncond); scale is one float in device memory. out may be either input.
KERNEL(guidance, 256, (const T* uncond, const T* cond, const float* scale, T* out, long long n)) {
  const float s = *scale;
  for (long long i = firstIndex(); i < n; i += indexStep()) {
    const float u = toFloat(uncond[i]);
    narrow(u + s * (toFloat(cond[i]) - u), out[i]);
  }
}

// One step of a scheduler: out = c[0] * prediction + c[1] * x1 + .. + c[count - 1] * x(count - 1), and the model's next input, out * c[count].
// coefficients [count + 1]; tensors beyond count are not read; out may be any of the inputs.
KERNEL(schedulerStep, 256,
    (const T* prediction, NULLABLE const float* x1, NULLABLE const float* x2, NULLABLE const float* x3, NULLABLE const float* x4,
     NULLABLE const float* x5, NULLABLE const float* x6, NULLABLE const float* x7, const float* coefficients, float* out,
     NULLABLE T* modelInput, int count, long long n)) {
  const float* inputs[] = {x1, x2, x3, x4, x5, x6, x7};
  for (long long i = firstIndex(); i < n; i += indexStep()) {
    float sum = coefficients[0] * toFloat(prediction[i]);
    UNROLL
    for (int k = 1; k < 8; k++) {
      if (k < count) {
        sum += coefficients[k] * inputs[k - 1][i];
      }
    }
    out[i] = sum;
    if (modelInput != nullptr) {
      narrow(sum * coefficients[count], modelInput[i]);
    }
  }
}

// Widens n elements.
KERNEL(toFloats, 256, (const T* x, float* out, long long n)) {
  for (long long i = firstIndex(); i < n; i += indexStep()) {
    out[i] = toFloat(x[i]);
  }
}

// Rounds n elements to T.
KERNEL(fromFloats, 256, (const float* x, T* out, long long n)) {
  for (long long i = firstIndex(); i < n; i += indexStep()) {
    narrow(x[i], out[i]);
  }
}

// The sum of parts that lie a distance apart, in their order, [parts, n]; rounded once. out may be none of them.
KERNEL(sumParts, 256, (const T* x, T* out, long long n, long long distance, int parts)) {
  for (long long i = firstIndex(); i < n; i += indexStep()) {
    float sum = toFloat(x[i]);
    for (int p = 1; p < parts; p++) {
      sum += toFloat(x[p * distance + i]);
    }
    narrow(sum, out[i]);
  }
}
