// What is done to the sums. What is not a number stays so, as with torch.
#define ID 0
#define RELU 1
#define TANH 2
#define SIGMOID 3

// e^z - 1 to the last bit or two: z = n ln 2 + r with a whole n, e^z - 1 = 2^n (e^r - 1) + 2^n - 1, and e^r - 1 by its
// series, which near 0 loses nothing to the 1. Below LOWEST and above HIGHEST what it is used for no longer changes.
INLINE vec exponential_minus_1(vec z) {
  constexpr float LOWEST = -87, HIGHEST = 88, WHOLE = 12582912;  // adding 3 * 2^22 rounds to whole numbers
  constexpr float LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
  z = z < LOWEST ? LOWEST - vec{} : z;
  z = z > HIGHEST ? HIGHEST - vec{} : z;
  const vec shifted = z * 1.44269504f + WHOLE, n = shifted - WHOLE;
  const vec r = z - n * LN2_HIGH - n * LN2_LOW;
  const vec scale = (vec)(((bits)shifted << 23) + (127u << 23));
  vec series = r * (1.0f / 720) + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 0.5f;
  series = series * r * r + r;
  return scale * series + (scale - 1);
}

INLINE vec activated(vec z) {
#if ACT == RELU
  return z < 0 ? vec{} : z;
#elif ACT == TANH
  const vec e = exponential_minus_1(z + z);
  return e / (e + 2);
#elif ACT == SIGMOID
  return 1 / (2 + exponential_minus_1(-z));
#else
  return z;
#endif
}

INLINE void activate(float* sums, int64 count) {
  if (ACT == ID) return;
  int64 at = 0;
  for (; at + LANES <= count; at += LANES) store(sums + at, activated(load(sums + at)));
  if (at == count) return;
  float rest[LANES] = {};
  for (int64 n = at; n < count; ++n) rest[n - at] = sums[n];
  store(rest, activated(load(rest)));
  for (int64 n = at; n < count; ++n) sums[n] = rest[n - at];
}
