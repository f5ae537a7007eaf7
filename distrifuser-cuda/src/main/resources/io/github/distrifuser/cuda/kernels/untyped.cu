// Kernels that know nothing of the type of activations.

// Joins the parts of groupMomentsPartial: moments [batch, groups, 2], mean and biased variance. One warp a group.
BLOCK_KERNEL(groupMomentsFinish, 128, (const float* partial, float* moments, long long batch, int chunks, int groups)) {
  const int lane = threadIdx.x % 32;
  for (long long i = firstIndex() / 32; i < batch * groups; i += indexStep() / 32) {
    const Division d = divide(i, groups);
    const float* from = partial + (d.quotient * chunks * groups + d.remainder) * 3;
    const long long step = 3LL * groups;
    const float pivot = from[1];
    float n = 0.0f;
    float weighted = 0.0f;
    for (int k = lane; k < chunks; k += 32) {
      n += from[k * step];
      weighted += from[k * step] * (from[k * step + 1] - pivot);
    }
    n = warpSum(n);
    const float mean = pivot + warpSum(weighted) / n;
    float m2 = 0.0f;
    for (int k = lane; k < chunks; k += 32) {
      const float e = from[k * step + 1] - mean;
      m2 += from[k * step + 2] + from[k * step] * e * e;
    }
    m2 = warpSum(m2);
    if (lane == 0) {
      moments[2 * i] = mean;
      moments[2 * i + 1] = m2 / n;
    }
  }
}

// MomentRule.ordinal()
enum MomentRule { FRESH, STALE, CORRECTED };

// The moments of an image from those of its patches: all [patches, count, 2], own and out [count, 2]. In double, as on the host.
KERNEL(combineMoments, 128,
    (const float* all, const float* own, const double* weights, float* out, long long count, int patches, int index, int rule)) {
  for (long long i = firstIndex(); i < count; i += indexStep()) {
    const double ownMean = own[2 * i];
    const double ownVariance = own[2 * i + 1];
    double mean = 0.0;
    double square = 0.0;
    for (int p = 0; p < patches; p++) {
      const bool fresh = rule == STALE && p == index;
      const double m = fresh ? ownMean : all[2 * (p * count + i)];
      const double v = fresh ? ownVariance : all[2 * (p * count + i) + 1];
      mean += weights[p] * m;
      square += weights[p] * (v + m * m);
    }
    if (rule == CORRECTED) {
      const double oldMean = all[2 * (index * count + i)];
      const double oldVariance = all[2 * (index * count + i) + 1];
      mean += ownMean - oldMean;
      square += ownVariance + ownMean * ownMean - (oldVariance + oldMean * oldMean);
    }
    const double variance = square - mean * mean;
    out[2 * i] = static_cast<float>(mean);
    out[2 * i + 1] = static_cast<float>(variance < 0.0 ? ownVariance : variance);
  }
}

template <typename E>
DEVICE void copyElements(const void* source, void* target, long long d0, long long d1, long long d2, long long d3, long long d4, long long s0,
    long long s1, long long s2, long long s3, long long s4, long long t0, long long t1, long long t2, long long t3, long long t4) {
  const E* from = static_cast<const E*>(source);
  E* to = static_cast<E*>(target);
  for (long long i = firstIndex(); i < d0 * d1 * d2 * d3 * d4; i += indexStep()) {
    const Division e4 = divide(i, d4);
    const Division e3 = divide(e4.quotient, d3);
    const Division e2 = divide(e3.quotient, d2);
    const Division e1 = divide(e2.quotient, d1);
    to[e1.quotient * t0 + e1.remainder * t1 + e2.remainder * t2 + e3.remainder * t3 + e4.remainder * t4] =
        from[e1.quotient * s0 + e1.remainder * s1 + e2.remainder * s2 + e3.remainder * s3 + e4.remainder * s4];
  }
}

// Copies elements of 1, 2, 4 or 8 bytes between tensors of any strides; d are sizes, s and t the strides of source and target.
KERNEL(copyBytes, 256,
    (const void* source, void* target, int width, long long d0, long long d1, long long d2, long long d3, long long d4, long long s0,
     long long s1, long long s2, long long s3, long long s4, long long t0, long long t1, long long t2, long long t3, long long t4)) {
  switch (width) {
    case 1:
      copyElements<unsigned char>(source, target, d0, d1, d2, d3, d4, s0, s1, s2, s3, s4, t0, t1, t2, t3, t4);
      break;
    case 2:
      copyElements<unsigned short>(source, target, d0, d1, d2, d3, d4, s0, s1, s2, s3, s4, t0, t1, t2, t3, t4);
      break;
    case 4:
      copyElements<unsigned int>(source, target, d0, d1, d2, d3, d4, s0, s1, s2, s3, s4, t0, t1, t2, t3, t4);
      break;
    default:
      copyElements<unsigned long long>(source, target, d0, d1, d2, d3, d4, s0, s1, s2, s3, s4, t0, t1, t2, t3, t4);
      break;
  }
}
