// torch's CUDA generator: Philox4x32-10 of Salmon and others, cuRAND's Box-Muller, and torch's way of dealing numbers out to elements.

DEVICE void philox(unsigned (&c)[4], unsigned long long key) {
  unsigned k0 = static_cast<unsigned>(key);
  unsigned k1 = static_cast<unsigned>(key >> 32);
  for (int i = 0; i < 10; i++) {
    const unsigned long long a = static_cast<unsigned long long>(c[0]) * 0xd2511f53u;
    const unsigned long long b = static_cast<unsigned long long>(c[2]) * 0xcd9e8d57u;
    c[0] = static_cast<unsigned>(b >> 32) ^ c[1] ^ k0;
    c[1] = static_cast<unsigned>(b);
    c[2] = static_cast<unsigned>(a >> 32) ^ c[3] ^ k1;
    c[3] = static_cast<unsigned>(a);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

// Normal numbers as torch.randn draws them on a GPU where its kernel has this many threads, each of which has called Philox `calls` times before.
// Logarithm, sine and cosine are rounded once, as on the host, so that both give the same numbers.
KERNEL(normalNoise, 256, (T* out, long long n, unsigned long long seed, long long calls, long long threads)) {
  for (long long thread = firstIndex(); thread < threads; thread += indexStep()) {
    for (long long round = 0; round * threads * 4 + thread < n; round++) {
      const unsigned long long call = static_cast<unsigned long long>(calls + round);
      unsigned c[4] = {static_cast<unsigned>(call), static_cast<unsigned>(call >> 32), static_cast<unsigned>(thread),
          static_cast<unsigned>(thread >> 32)};
      philox(c, seed);
      const long long at = round * threads * 4 + thread;
      UNROLL
      for (int k = 0; k < 4; k += 2) {
        const float u = fmaf(static_cast<float>(c[k]), 0x1p-32f, 0x1p-33f);
        const float v = fmaf(static_cast<float>(c[k + 1]), 0x1p-32f * 6.2831855f, 0x1p-33f * 6.2831855f);
        const float radius = sqrtf(-2.0f * static_cast<float>(log(static_cast<double>(u))));
        if (at + k * threads < n) {
          narrow(static_cast<float>(sin(static_cast<double>(v))) * radius, out[at + k * threads]);
        }
        if (at + (k + 1) * threads < n) {
          narrow(static_cast<float>(cos(static_cast<double>(v))) * radius, out[at + (k + 1) * threads]);
        }
      }
    }
  }
}
