// Normalisation. Statistics are those of fp32 values, taken about a value of the data itself, so that a mean far from zero costs no digits.

// Counts, means and sums of squared deviations of the pieces of one block's part of an image: those of whole groups go to partial.
template <int V>
DEVICE void partialMoments(const T* x, float* partial, long long pixels, int channels, int groups, float* means, float* squares) {
  const int threads = blockDim.x;
  const int packs = channels / V;
  const int columns = packs < threads ? packs : threads;
  const int rows = threads / columns;
  const int column = threadIdx.x % columns;
  const int row = threadIdx.x / columns;
  const int each = channels / groups;
  const int lane = threadIdx.x % 32;
  for (int tile = 0; tile < packs; tile += columns) {
    // 1. Each thread takes V channels of every rows-th pixel.
    const int pack = tile + column;
    if (row < rows && pack < packs) {
      float pivot[V] = {};
      float sum[V] = {};
      float square[V] = {};
      long long count = 0;
      for (long long p = row; p < pixels; p += rows, count++) {
        float f[V];
        load<V>(x + p * channels + static_cast<long long>(pack) * V, f);
        UNROLL
        for (int i = 0; i < V; i++) {
          if (count == 0) {
            pivot[i] = f[i];
          }
          float d = f[i] - pivot[i];
          sum[i] += d;
          square[i] += d * d;
        }
      }
      const float n = count > 0 ? static_cast<float>(count) : 1.0f;
      UNROLL
      for (int i = 0; i < V; i++) {
        means[threadIdx.x * V + i] = pivot[i] + sum[i] / n;
        squares[threadIdx.x * V + i] = square[i] - sum[i] * (sum[i] / n);
      }
    }
    __syncthreads();
    // 2. Each warp joins the pieces of a group.
    const int first = tile * V;
    const int tiled = tile + columns < packs ? columns : packs - tile;
    const int last = first + tiled * V;
    for (int g = threadIdx.x / 32; g < groups; g += threads / 32) {
      const int from = g * each > first ? g * each : first;
      const int to = (g + 1) * each < last ? (g + 1) * each : last;
      if (from < to) { // the same for all lanes
        const int wide = to - from;
        const float pivot = means[from - first];
        float n = 0.0f;
        float weighted = 0.0f;
        for (int k = lane; k < wide * rows; k += 32) {
          const int r = k / wide;
          if (r < pixels) {
            const float here = static_cast<float>((pixels - r + rows - 1) / rows);
            n += here;
            weighted += here * (means[r * columns * V + from - first + k % wide] - pivot);
          }
        }
        n = warpSum(n);
        weighted = warpSum(weighted);
        const float mean = n > 0.0f ? pivot + weighted / n : 0.0f;
        float m2 = 0.0f;
        for (int k = lane; k < wide * rows; k += 32) {
          const int r = k / wide;
          if (r < pixels) {
            const int at = r * columns * V + from - first + k % wide;
            const float here = static_cast<float>((pixels - r + rows - 1) / rows);
            const float d = means[at] - mean;
            m2 += squares[at] + here * d * d;
          }
        }
        m2 = warpSum(m2);
        if (lane == 0) {
          float* to3 = partial + 3LL * g;
          if (from == g * each) {
            to3[0] = n;
            to3[1] = mean;
            to3[2] = m2;
          } else { // a group that began in the tile before
            const float all = n > 0.0f ? to3[0] + n : 1.0f;
            const float d = mean - to3[1];
            to3[1] += d * (n / all);
            to3[2] += m2 + d * d * (to3[0] * (n / all));
            to3[0] += n;
          }
        }
      }
    }
    __syncthreads();
  }
}

// Moments of each group over each of `chunks` parts of an image. x [batch, pixels, channels]; partial [batch, chunks, groups, 3]: count, mean
// and sum of squared deviations. One block a part.
BLOCK_KERNEL(groupMomentsPartial, 256,
    (const T* x, float* partial, long long batch, long long pixels, int channels, int groups, long long batchStride, int chunks)) {
  SHARED(float, means, 256 * Width<T>::value);
  SHARED(float, squares, 256 * Width<T>::value);
  constexpr int V = Width<T>::value;
  const bool wide = packed<V>(x) && whole<V>(channels, batchStride);
  for (long long part = blockIdx.x; part < batch * chunks; part += gridDim.x) {
    const Division d = divide(part, chunks);
    const long long from = pixels * d.remainder / chunks;
    const long long to = pixels * (d.remainder + 1) / chunks;
    const T* begin = x + d.quotient * batchStride + from * channels;
    float* out = partial + part * groups * 3;
    if (wide) {
      partialMoments<V>(begin, out, to - from, channels, groups, means, squares);
    } else {
      partialMoments<1>(begin, out, to - from, channels, groups, means, squares);
    }
  }
}

template <int V>
DEVICE void applyGroupNorm(const T* x, const float* moments, const float* weight, const float* bias, T* out, long long batch,
    long long pixels, int channels, int groups, long long xBatchStride, long long outBatchStride, float eps, int activation) {
  const int each = channels / groups;
  const long long inner = pixels * channels / V;
  const int packs = channels / V;
  for (long long b = 0; b < batch; b++) {
    const float* own = moments + b * groups * 2;
    for (long long i = firstIndex(); i < inner; i += indexStep()) {
      const int c = static_cast<int>(divide(i, packs).remainder) * V;
      float f[V];
      load<V>(x + b * xBatchStride + i * V, f);
      int g = c / each;
      int left = (g + 1) * each - c; // channels until the next group
      float scale = rsqrtf(own[2 * g + 1] + eps);
      float mean = own[2 * g];
      UNROLL
      for (int k = 0; k < V; k++) {
        if (left == 0) {
          g++;
          left = each;
          scale = rsqrtf(own[2 * g + 1] + eps);
          mean = own[2 * g];
        }
        left--;
        f[k] = activated((f[k] - mean) * scale * weight[c + k] + bias[c + k], activation);
      }
      store<V>(f, out + b * outBatchStride + i * V);
    }
  }
}

// out = activation((x - mean) / sqrt(variance + eps) * weight + bias). x, out [batch, pixels, channels], out may be x; moments [batch, groups,
// 2]: mean, variance.
KERNEL(groupNormApply, 256,
    (const T* x, const float* moments, const float* weight, const float* bias, T* out, long long batch, long long pixels, int channels,
     int groups, long long xBatchStride, long long outBatchStride, float eps, int activation)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(x) && packed<V>(out) && whole<V>(channels, xBatchStride, outBatchStride)) {
    applyGroupNorm<V>(x, moments, weight, bias, out, batch, pixels, channels, groups, xBatchStride, outBatchStride, eps, activation);
  } else {
    applyGroupNorm<1>(x, moments, weight, bias, out, batch, pixels, channels, groups, xBatchStride, outBatchStride, eps, activation);
  }
}

template <int V>
DEVICE void normaliseRow(const T* x, const float* weight, const float* bias, T* out, int channels, float eps) {
  const int lane = threadIdx.x % 32;
  float sum = 0.0f;
  for (int c = lane * V; c < channels; c += 32 * V) {
    float f[V];
    load<V>(x + c, f);
    UNROLL
    for (int k = 0; k < V; k++) {
      sum += f[k];
    }
  }
  const float mean = warpSum(sum) / static_cast<float>(channels);
  float squares = 0.0f;
  for (int c = lane * V; c < channels; c += 32 * V) {
    float f[V];
    load<V>(x + c, f);
    UNROLL
    for (int k = 0; k < V; k++) {
      squares += (f[k] - mean) * (f[k] - mean);
    }
  }
  const float scale = rsqrtf(warpSum(squares) / static_cast<float>(channels) + eps);
  for (int c = lane * V; c < channels; c += 32 * V) {
    float f[V];
    load<V>(x + c, f);
    UNROLL
    for (int k = 0; k < V; k++) {
      f[k] = (f[k] - mean) * scale * weight[c + k] + bias[c + k];
    }
    store<V>(f, out + c);
  }
}

// Normalises each row of x [rows, channels]. One warp a row.
BLOCK_KERNEL(layerNorm, 128,
    (const T* x, const float* weight, const float* bias, T* out, long long rows, long long rowsPerBatch, int channels,
     long long xBatchStride, long long xRowStride, long long outBatchStride, long long outRowStride, float eps)) {
  constexpr int V = Width<T>::value;
  const bool wide = packed<V>(x) && packed<V>(out) && whole<V>(channels, xBatchStride, xRowStride, outBatchStride, outRowStride);
  for (long long row = firstIndex() / 32; row < rows; row += indexStep() / 32) {
    const T* from = x + rowAt(row, rowsPerBatch, xBatchStride, xRowStride);
    T* to = out + rowAt(row, rowsPerBatch, outBatchStride, outRowStride);
    if (wide) {
      normaliseRow<V>(from, weight, bias, to, channels, eps);
    } else {
      normaliseRow<1>(from, weight, bias, to, channels, eps);
    }
  }
}
