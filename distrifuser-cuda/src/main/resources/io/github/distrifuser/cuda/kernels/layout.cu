// Moving elements: copies between layouts, enlargement, joining, looking up, patches of convolutions and halo rows.

DEVICE float elementOf(const void* source, int type, long long at) {
  switch (type) {
    case 0:
      return static_cast<const float*>(source)[at];
    case 1:
      return toFloat(static_cast<const Half*>(source)[at]);
    default:
      return toFloat(static_cast<const BFloat*>(source)[at]);
  }
}

// Copies between tensors of any strides, converting; d are sizes, s and t the strides of source and target. sourceType: DType.ordinal(), F32 0,
// F16 1, BF16 2.
KERNEL(copyStrided, 256,
    (const void* source, int sourceType, T* target, long long d0, long long d1, long long d2, long long d3, long long d4, long long s0,
     long long s1, long long s2, long long s3, long long s4, long long t0, long long t1, long long t2, long long t3, long long t4)) {
  for (long long i = firstIndex(); i < d0 * d1 * d2 * d3 * d4; i += indexStep()) {
    const Division e4 = divide(i, d4);
    const Division e3 = divide(e4.quotient, d3);
    const Division e2 = divide(e3.quotient, d2);
    const Division e1 = divide(e2.quotient, d1);
    const long long from = e1.quotient * s0 + e1.remainder * s1 + e2.remainder * s2 + e3.remainder * s3 + e4.remainder * s4;
    narrow(elementOf(source, sourceType, from),
        target[e1.quotient * t0 + e1.remainder * t1 + e2.remainder * t2 + e3.remainder * t3 + e4.remainder * t4]);
  }
}

// Sets every element of a tensor of any strides.
KERNEL(fillStrided, 256,
    (T* target, float value, long long d0, long long d1, long long d2, long long d3, long long d4, long long t0, long long t1, long long t2,
     long long t3, long long t4)) {
  for (long long i = firstIndex(); i < d0 * d1 * d2 * d3 * d4; i += indexStep()) {
    const Division e4 = divide(i, d4);
    const Division e3 = divide(e4.quotient, d3);
    const Division e2 = divide(e3.quotient, d2);
    const Division e1 = divide(e2.quotient, d1);
    narrow(value, target[e1.quotient * t0 + e1.remainder * t1 + e2.remainder * t2 + e3.remainder * t3 + e4.remainder * t4]);
  }
}

template <int V>
DEVICE void enlarge(const T* x, T* out, long long batch, int width, int channels, int outHeight, int outWidth,
    long long xBatchStride, long long outBatchStride) {
  const int packs = channels / V;
  const long long inner = static_cast<long long>(outHeight) * outWidth * packs;
  for (long long b = 0; b < batch; b++) {
    for (long long i = firstIndex(); i < inner; i += indexStep()) {
      const Division c = divide(i, packs);
      const Division p = divide(c.quotient, outWidth);
      const long long from = (p.quotient / 2 * width + p.remainder / 2) * channels + c.remainder * V;
      *reinterpret_cast<Pack<T, V>*>(out + b * outBatchStride + i * V) = *reinterpret_cast<const Pack<T, V>*>(x + b * xBatchStride + from);
    }
  }
}

// out[y, x] = in[y / 2, x / 2]; x [batch, height, width, channels], out [batch, outHeight, outWidth, channels].
KERNEL(upsampleNearest2x, 256,
    (const T* x, T* out, long long batch, int width, int channels, int outHeight, int outWidth, long long xBatchStride,
     long long outBatchStride)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(x) && packed<V>(out) && whole<V>(channels, xBatchStride, outBatchStride)) {
    enlarge<V>(x, out, batch, width, channels, outHeight, outWidth, xBatchStride, outBatchStride);
  } else {
    enlarge<1>(x, out, batch, width, channels, outHeight, outWidth, xBatchStride, outBatchStride);
  }
}

template <int V>
DEVICE void copyRows(const T* part, T* out, long long rows, long long rowsPerBatch, int channels, long long partBatchStride,
    long long partRowStride, long long outBatchStride, long long outRowStride) {
  const int packs = channels / V;
  for (long long i = firstIndex(); i < rows * packs; i += indexStep()) {
    const Division d = divide(i, packs);
    const long long from = rowAt(d.quotient, rowsPerBatch, partBatchStride, partRowStride) + d.remainder * V;
    const long long to = rowAt(d.quotient, rowsPerBatch, outBatchStride, outRowStride) + d.remainder * V;
    *reinterpret_cast<Pack<T, V>*>(out + to) = *reinterpret_cast<const Pack<T, V>*>(part + from);
  }
}

// Writes part [rows, channels] into channels offset.. of the rows of out.
KERNEL(concatChannels, 256,
    (const T* part, T* out, long long rows, long long rowsPerBatch, int channels, int offset, long long partBatchStride,
     long long partRowStride, long long outBatchStride, long long outRowStride)) {
  constexpr int V = Width<T>::value;
  T* to = out + offset;
  if (packed<V>(part) && packed<V>(to) && whole<V>(channels, partBatchStride, partRowStride, outBatchStride, outRowStride)) {
    copyRows<V>(part, to, rows, rowsPerBatch, channels, partBatchStride, partRowStride, outBatchStride, outRowStride);
  } else {
    copyRows<1>(part, to, rows, rowsPerBatch, channels, partBatchStride, partRowStride, outBatchStride, outRowStride);
  }
}

// Row ids[r] of table [.., width] into row r of out.
KERNEL(embedding, 256,
    (const int* ids, const T* table, T* out, long long rows, long long rowsPerBatch, int width, long long outBatchStride,
     long long outRowStride)) {
  for (long long i = firstIndex(); i < rows * width; i += indexStep()) {
    const Division d = divide(i, width);
    out[rowAt(d.quotient, rowsPerBatch, outBatchStride, outRowStride) + d.remainder] =
        table[static_cast<long long>(ids[d.quotient]) * width + d.remainder];
  }
}

template <int V>
DEVICE void patches(const T* x, T* columns, long long firstRow, long long rows, int height, int width, int channels, int kernelHeight,
    int kernelWidth, int stride, int top, int left, int outHeight, int outWidth, long long xBatchStride) {
  const int packs = channels / V;
  const long long taps = static_cast<long long>(kernelHeight) * kernelWidth;
  for (long long i = firstIndex(); i < rows * taps * packs; i += indexStep()) {
    const Division c = divide(i, packs);
    const Division tap = divide(c.quotient, taps);
    const Division pixel = divide(firstRow + tap.quotient, outWidth);
    const Division line = divide(pixel.quotient, outHeight);
    const Division k = divide(tap.remainder, kernelWidth);
    const long long iy = line.remainder * stride - top + k.quotient;
    const long long ix = pixel.remainder * stride - left + k.remainder;
    Pack<T, V> p;
    if (iy >= 0 && iy < height && ix >= 0 && ix < width) {
      p = *reinterpret_cast<const Pack<T, V>*>(x + line.quotient * xBatchStride + (iy * width + ix) * channels + c.remainder * V);
    } else {
      UNROLL
      for (int j = 0; j < V; j++) {
        narrow(0.0f, p.at[j]);
      }
    }
    *reinterpret_cast<Pack<T, V>*>(columns + i * V) = p;
  }
}

// What a convolution multiplies with its weights [out, kh, kw, channels]: columns [rows, kh * kw * channels] of output pixels firstRow ..,
// counted over [batch, outHeight, outWidth]; x [batch, height, width, channels], zeros outside.
KERNEL(im2col, 256,
    (const T* x, T* columns, long long firstRow, long long rows, int height, int width, int channels, int kernelHeight, int kernelWidth,
     int stride, int top, int left, int outHeight, int outWidth, long long xBatchStride)) {
  constexpr int V = Width<T>::value;
  if (packed<V>(x) && packed<V>(columns) && whole<V>(channels, xBatchStride)) {
    patches<V>(x, columns, firstRow, rows, height, width, channels, kernelHeight, kernelWidth, stride, top, left, outHeight, outWidth,
        xBatchStride);
  } else {
    patches<1>(x, columns, firstRow, rows, height, width, channels, kernelHeight, kernelWidth, stride, top, left, outHeight, outWidth,
        xBatchStride);
  }
}

// What the neighbours need of x [batch, height, rowElements]: its first aboveRows rows for the one above, its last belowRows for the one below,
// each dense [batch, rows, rowElements].
KERNEL(haloPack, 256,
    (const T* x, NULLABLE T* toAbove, NULLABLE T* toBelow, long long batch, long long height, long long rowElements, long long xBatchStride,
     long long aboveRows, long long belowRows)) {
  const long long above = aboveRows * rowElements;
  const long long below = belowRows * rowElements;
  for (long long b = 0; b < batch; b++) {
    for (long long i = firstIndex(); i < above + below; i += indexStep()) {
      const T* from = x + b * xBatchStride;
      if (i < above) {
        toAbove[b * above + i] = from[i];
      } else {
        toBelow[b * below + i - above] = from[height * rowElements - below + i - above];
      }
    }
  }
}

// The neighbours' rows into the first aboveRows and the last belowRows rows of whole [batch, wholeHeight, rowElements].
KERNEL(haloUnpack, 256,
    (NULLABLE const T* above, NULLABLE const T* below, T* whole, long long batch, long long wholeHeight, long long rowElements,
     long long wholeBatchStride, long long aboveRows, long long belowRows)) {
  const long long first = aboveRows * rowElements;
  const long long last = belowRows * rowElements;
  for (long long b = 0; b < batch; b++) {
    for (long long i = firstIndex(); i < first + last; i += indexStep()) {
      T* to = whole + b * wholeBatchStride;
      if (i < first) {
        to[i] = above[b * first + i];
      } else {
        to[wholeHeight * rowElements - last + i - first] = below[b * last + i - first];
      }
    }
  }
}

// Sinusoids of numbers, diffusers' get_timestep_embedding: values [count], out [count, width] with rows outRowStride apart. Rounded to float where
// the host rounds, so that both give the same.
KERNEL(timeEmbedding, 128,
    (const float* values, T* out, int count, int width, int flipSinToCos, float freqShift, long long outRowStride)) {
  const int half = width / 2;
  const float slope = static_cast<float>(-log(10000.0));
  for (long long i = firstIndex(); i < static_cast<long long>(count) * half; i += indexStep()) {
    const int row = static_cast<int>(i / half);
    const int k = static_cast<int>(i % half);
    const float exponent = slope * static_cast<float>(k) / (static_cast<float>(half) - freqShift);
    const float angle = values[row] * static_cast<float>(exp(static_cast<double>(exponent)));
    const float s = static_cast<float>(sin(static_cast<double>(angle)));
    const float c = static_cast<float>(cos(static_cast<double>(angle)));
    T* to = out + row * outRowStride;
    narrow(flipSinToCos != 0 ? c : s, to[k]);
    narrow(flipSinToCos != 0 ? s : c, to[half + k]);
    if (k == 0 && width % 2 != 0) {
      narrow(0.0f, to[width - 1]);
    }
  }
}
