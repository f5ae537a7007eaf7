// softmax(q k^T * scale) v for any size, in fp32 and one pass: what cuDNN's 16-bit kernels refuse. A block owns 64 queries of one head and a slice
// of the values' channels; it walks over the keys 64 at a time and keeps maximum, sum and weighted values of what it has seen, rescaled whenever
// the maximum grows. No more than 64 x 64 scores exist.

constexpr int QUERIES = 64; // of a block
constexpr int KEYS = 64; // at a time
constexpr int DEPTH = 32; // channels of q and k at a time
constexpr int PAD = DEPTH + 1; // rows of the tiles, so that a column meets all banks
constexpr int TILE = QUERIES * PAD + KEYS * PAD;

// Reads rows [first, first + count) and channels [from, from + DEPTH) into tile, zeros outside.
DEVICE void loadTile(const T* x, long long first, long long count, long long rowStride, int from, int width, float* tile) {
  for (int i = threadIdx.x; i < QUERIES * DEPTH; i += 256) {
    const int row = i / DEPTH;
    const int c = i % DEPTH;
    const bool inside = first + row < count && from + c < width;
    tile[row * PAD + c] = inside ? toFloat(x[(first + row) * rowStride + from + c]) : 0.0f;
  }
}

// One block's work. tile holds q's and k's tiles, then values; weights holds the 64 x 64 probabilities. Thread (y, x) of 16 x 16 has the scores of
// queries 4 y .. 4 y + 3 with keys x, x + 16, .. and those queries' channels x, x + 16, ..
template <int SLICE>
DEVICE void attend(const T* q, const T* k, const T* v, T* out, long long firstQuery, long long queries, long long keys, int width,
    int valueWidth, int firstChannel, float scale, int causal, long long qRowStride, long long kRowStride, long long vRowStride,
    long long outRowStride, float* tile, float* weights) {
  constexpr int COLUMNS = SLICE / 16;
  constexpr int VALUES = TILE / SLICE < KEYS ? TILE / SLICE : KEYS; // rows of v at a time
  const int x = threadIdx.x % 16;
  const int y = threadIdx.x / 16;
  float sums[4][COLUMNS] = {};
  float top[4];
  float total[4] = {};
  UNROLL
  for (int i = 0; i < 4; i++) {
    top[i] = -INFINITY;
  }
  const long long visible = causal != 0 && firstQuery + QUERIES < keys ? firstQuery + QUERIES : keys;
  for (long long firstKey = 0; firstKey < visible; firstKey += KEYS) {
    // 1. Scores.
    float s[4][4] = {};
    for (int from = 0; from < width; from += DEPTH) {
      loadTile(q, firstQuery, queries, qRowStride, from, width, tile);
      loadTile(k, firstKey, keys, kRowStride, from, width, tile + QUERIES * PAD);
      __syncthreads();
      UNROLL_BY(8)
      for (int c = 0; c < DEPTH; c++) {
        float a[4];
        float b[4];
        UNROLL
        for (int i = 0; i < 4; i++) {
          a[i] = tile[(y * 4 + i) * PAD + c];
          b[i] = tile[(QUERIES + x + 16 * i) * PAD + c];
        }
        UNROLL
        for (int i = 0; i < 4; i++) {
          UNROLL
          for (int j = 0; j < 4; j++) {
            s[i][j] += a[i] * b[j];
          }
        }
      }
      __syncthreads();
    }
    // 2. Their exponentials about the largest score so far. 16 neighbouring lanes share a query.
    UNROLL
    for (int i = 0; i < 4; i++) {
      const long long query = firstQuery + y * 4 + i;
      float most = -INFINITY;
      UNROLL
      for (int j = 0; j < 4; j++) {
        const long long key = firstKey + x + 16 * j;
        const bool seen = key < keys && (causal == 0 || key <= query);
        s[i][j] = seen ? s[i][j] * scale : -INFINITY;
        most = fmaxf(most, s[i][j]);
      }
      UNROLL
      for (int lanes = 8; lanes > 0; lanes /= 2) {
        most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, lanes));
      }
      const float before = top[i];
      top[i] = fmaxf(before, most);
      const float shrink = before == top[i] ? 1.0f : expf(before - top[i]);
      float sum = 0.0f;
      UNROLL
      for (int j = 0; j < 4; j++) {
        const float p = s[i][j] == -INFINITY ? 0.0f : expf(s[i][j] - top[i]);
        weights[(y * 4 + i) * (KEYS + 1) + x + 16 * j] = p;
        sum += p;
      }
      UNROLL
      for (int lanes = 8; lanes > 0; lanes /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
      }
      total[i] = total[i] * shrink + sum;
      UNROLL
      for (int c = 0; c < COLUMNS; c++) {
        sums[i][c] *= shrink;
      }
    }
    // 3. Values, as many rows at a time as the tile holds.
    for (int row = 0; row < KEYS && firstKey + row < visible; row += VALUES) {
      for (int i = threadIdx.x; i < VALUES * SLICE; i += 256) {
        const long long key = firstKey + row + i / SLICE;
        const int c = firstChannel + i % SLICE;
        tile[i] = key < keys && c < valueWidth ? toFloat(v[key * vRowStride + c]) : 0.0f;
      }
      __syncthreads();
      UNROLL_BY(4)
      for (int r = 0; r < VALUES && row + r < KEYS; r++) {
        float p[4];
        UNROLL
        for (int i = 0; i < 4; i++) {
          p[i] = weights[(y * 4 + i) * (KEYS + 1) + row + r];
        }
        UNROLL
        for (int c = 0; c < COLUMNS; c++) {
          const float value = tile[r * SLICE + x + 16 * c];
          UNROLL
          for (int i = 0; i < 4; i++) {
            sums[i][c] += p[i] * value;
          }
        }
      }
      __syncthreads();
    }
  }
  UNROLL
  for (int i = 0; i < 4; i++) {
    const long long query = firstQuery + y * 4 + i;
    if (query < queries) {
      UNROLL
      for (int c = 0; c < COLUMNS; c++) {
        const int channel = firstChannel + x + 16 * c;
        if (channel < valueWidth) {
          narrow(sums[i][c] / total[i], out[query * outRowStride + channel]);
        }
      }
    }
  }
}

// q [batch, queries, heads * width], k [batch, keys, heads * width], v [batch, keys, heads * valueWidth], out [batch, queries, heads * valueWidth]
template <int SLICE>
DEVICE void attendAll(const T* q, const T* k, const T* v, T* out, long long batch, long long queries, long long keys, int heads, int width,
    int valueWidth, float scale, int causal, long long qBatchStride, long long qRowStride, long long kBatchStride, long long kRowStride,
    long long vBatchStride, long long vRowStride, long long outBatchStride, long long outRowStride, float* tile, float* weights) {
  const long long tiles = (queries + QUERIES - 1) / QUERIES;
  const int slices = (valueWidth + SLICE - 1) / SLICE;
  for (long long block = blockIdx.x; block < batch * heads * slices * tiles; block += gridDim.x) {
    const Division t = divide(block, tiles);
    const Division s = divide(t.quotient, slices);
    const Division h = divide(s.quotient, heads);
    const long long b = h.quotient;
    attend<SLICE>(q + b * qBatchStride + h.remainder * width, k + b * kBatchStride + h.remainder * width,
        v + b * vBatchStride + h.remainder * valueWidth, out + b * outBatchStride + h.remainder * valueWidth, t.remainder * QUERIES, queries,
        keys, width, valueWidth, static_cast<int>(s.remainder) * SLICE, scale, causal, qRowStride, kRowStride, vRowStride, outRowStride, tile,
        weights);
  }
}

// For values of up to 64 channels a head.
BLOCK_KERNEL(attention64, 256,
    (const T* q, const T* k, const T* v, T* out, long long batch, long long queries, long long keys, int heads, int width, int valueWidth,
     float scale, int causal, long long qBatchStride, long long qRowStride, long long kBatchStride, long long kRowStride,
     long long vBatchStride, long long vRowStride, long long outBatchStride, long long outRowStride)) {
  SHARED(float, tile, TILE);
  SHARED(float, weights, QUERIES * (KEYS + 1));
  attendAll<64>(q, k, v, out, batch, queries, keys, heads, width, valueWidth, scale, causal, qBatchStride, qRowStride, kBatchStride,
      kRowStride, vBatchStride, vRowStride, outBatchStride, outRowStride, tile, weights);
}

// For values of up to 128 channels a head.
BLOCK_KERNEL(attention128, 256,
    (const T* q, const T* k, const T* v, T* out, long long batch, long long queries, long long keys, int heads, int width, int valueWidth,
     float scale, int causal, long long qBatchStride, long long qRowStride, long long kBatchStride, long long kRowStride,
     long long vBatchStride, long long vRowStride, long long outBatchStride, long long outRowStride)) {
  SHARED(float, tile, TILE);
  SHARED(float, weights, QUERIES * (KEYS + 1));
  attendAll<128>(q, k, v, out, batch, queries, keys, heads, width, valueWidth, scale, causal, qBatchStride, qRowStride, kBatchStride,
      kRowStride, vBatchStride, vRowStride, outBatchStride, outRowStride, tile, weights);
}

// For wider values: 512 channels at a time.
BLOCK_KERNEL(attention512, 256,
    (const T* q, const T* k, const T* v, T* out, long long batch, long long queries, long long keys, int heads, int width, int valueWidth,
     float scale, int causal, long long qBatchStride, long long qRowStride, long long kBatchStride, long long kRowStride,
     long long vBatchStride, long long vRowStride, long long outBatchStride, long long outRowStride)) {
  SHARED(float, tile, TILE);
  SHARED(float, weights, QUERIES * (KEYS + 1));
  attendAll<512>(q, k, v, out, batch, queries, keys, heads, width, valueWidth, scale, causal, qBatchStride, qRowStride, kBatchStride,
      kRowStride, vBatchStride, vRowStride, outBatchStride, outRowStride, tile, weights);
}
