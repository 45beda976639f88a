// y[t][b] = act(sum over the entries e of target t of W[weight_at[e]] * x[index[e]][b] + bias[t]), * a convolution
//
// Vectors are of places of the map; OUTS channels by COUNT vectors are summed over all inputs and taps in registers.
// Each weight is broadcast from where it lies. The same code gives the gradient of the rows: the entries of a row are
// its readers, channels change roles, and the kernel is mirrored (FLIPPED).
INLINE int weight_at(int k, int l) {
  return FLIPPED ? (TAPS_X - 1 - k) * TAPS_Y + TAPS_Y - 1 - l : k * TAPS_Y + l;
}

// Whether a vector of places reads pixels of the map with the taps of row k, rather than the zeros around it.
constexpr bool inside(int vector, int k) {
  const int x = vector / VECTORS_PER_ROW * STRIDE_X + k * DILATION_X - BEFORE_X;
  return !BY_ROWS || (x >= 0 && x < MAP_X);
}

template <int OUTS, int FIRST, int COUNT>
INLINE void places(const float* copy, const float* weight, float* held, int vector) {
  vec total[OUTS][COUNT];
  const float* read[COUNT];
  UNROLL for (int j = 0; j < COUNT; ++j) {
    read[j] = copy + START[FIRST >= 0 ? FIRST + j : vector + j];
    UNROLL for (int o = 0; o < OUTS; ++o) total[o][j] = load(held + o * HELD + (vector + j) * LANES);
  }
  for (int c = 0; c < IN; ++c) {
    const float* w = weight + c * WEIGHT_IN;
    const int channel = c * STRIDE_X * STRIDE_Y * PHASE;
    UNROLL for (int k = 0; k < TAPS_X; ++k) UNROLL for (int l = 0; l < TAPS_Y; ++l) {
      vec factor[OUTS];
      UNROLL for (int o = 0; o < OUTS; ++o) factor[o] = w[o * WEIGHT_OUT + weight_at(k, l)] - vec{};
      UNROLL for (int j = 0; j < COUNT; ++j) {
        if (FIRST >= 0 && !inside(FIRST + j, k)) continue;
        const vec pixels = load(read[j] + channel + tap(k, l));
        UNROLL for (int o = 0; o < OUTS; ++o) total[o][j] += factor[o] * pixels;
      }
    }
  }
  UNROLL for (int j = 0; j < COUNT; ++j) UNROLL for (int o = 0; o < OUTS; ++o)
    store(held + o * HELD + (vector + j) * LANES, total[o][j]);
}

template <int OUTS>
INLINE void channels(const float* copy, const float* weight, float* held) {
  PLACES
}

INLINE void all_channels(const float* copy, const float* weight, float* held) {
  int o = 0;
  for (; o + OUTS_AT_ONCE <= OUT; o += OUTS_AT_ONCE)
    channels<OUTS_AT_ONCE>(copy, weight + o * WEIGHT_OUT, held + o * HELD);
  if (OUT % OUTS_AT_ONCE)
    channels<OUT % OUTS_AT_ONCE ? OUT % OUTS_AT_ONCE : 1>(copy, weight + o * WEIGHT_OUT, held + o * HELD);
}

INLINE void begin(const float* bias, float* held) {
  for (int o = 0; o < OUT; ++o) {
    const vec shift = (BIAS ? bias[o] : 0.0f) - vec{};
    for (int at = 0; at < HELD; at += LANES) store(held + o * HELD + at, shift);
  }
}

INLINE void send(float* held, float* y) {
  activate(held, OUT * HELD);
  for (int o = 0; o < OUT; ++o) for (int x = 0; x < SENT_X; ++x)
    for (int at = 0; at < SENT_Y; ++at) y[o * SENT + x * SENT_Y + at] = held[o * HELD + x * SENT_PITCH + at];
}

#if WEIGHT_BITS == 16
INLINE const float* widened(const weight_t* weight, float* wide) {
  constexpr int COUNT = WEIGHT_SIZE;
  for (int n = 0; n < COUNT; ++n) {
    const unsigned upper = (unsigned)weight[n] << 16;
    __builtin_memcpy(wide + n, &upper, 4);
  }
  return wide;
}
#else
INLINE const float* widened(const weight_t* weight, float*) { return weight; }
#endif

EXPORT void run(const float* rows, const weight_t* weight, const int64* index, const int64* starts,
                const int64* weight_entry, const float* bias, float* y, int64 targets, int64 streams,
                int64 row_stride, int64 stream_stride, int threads) {
#pragma omp parallel num_threads(threads)
  {
    alignas(64) float copy[COPY_SIZE] = {};
    alignas(64) float held[OUT * HELD];
    alignas(64) float wide[WEIGHT_BITS == 16 ? WEIGHT_SIZE : 1];
#pragma omp for schedule(static)
    for (int64 n = 0; n < targets * streams; ++n) {
      const int64 t = n / streams, b = n % streams;
      begin(BIAS ? bias + t * OUT : 0, held);
      for (int64 e = starts[t]; e < starts[t + 1]; ++e) {
        // The next maps lie anywhere: they are asked for while these are computed with. The weights come by themselves.
        const bool last = e + 1 == starts[t + 1], again = last && b + 1 < streams;
        if (again || e + 1 < starts[targets]) {
          const int64 stream = again ? b + 1 : last ? 0 : b;
          const float* next = rows + index[again ? starts[t] : e + 1] * row_stride + stream * stream_stride;
          for (int at = 0; at < IN * MAP; at += 16) __builtin_prefetch(next + at);
        }
        copy_maps(rows + index[e] * row_stride + b * stream_stride, copy);
        all_channels(copy, widened(weight + weight_entry[e], wide), held);
      }
      send(held, y + n * OUT * SENT);
    }
  }
}
