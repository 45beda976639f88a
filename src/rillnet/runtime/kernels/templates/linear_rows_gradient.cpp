// gx[r][b] = sum over the readers e of row r, at source e % SOURCES of pool e / SOURCES, of W[e] transposed gz[pool][b]
//
// Every row is written by one thread, which adds up its readers in their order: no two threads meet, and the sum
// does not depend on how many there are. Vectors are of inputs, so weights are read as they lie.
constexpr int VECTORS = (IN + LANES - 1) / LANES < 2 ? 1 : 2;

template <int STREAMS>
INLINE void inputs(const float* gz, const weight_t* weight, const int64* readers, int64 count, int64 streams,
                   int64 weight_pool, float* gx, int at, int next) {
  vec total[STREAMS][VECTORS] = {};
  for (int64 n = 0; n < count; ++n) {
    const int64 g = readers[n] / SOURCES;
    const weight_t* w = weight + g * weight_pool + readers[n] % SOURCES * WEIGHT_SOURCE;
    const float* z = gz + g * streams * OUT;
    for (int o = 0; o < OUT; ++o) {
      vec factor[2];
      factor[0] = load_weights(w + o * WEIGHT_OUT + at);
      if (VECTORS > 1) factor[1] = load_weights(w + o * WEIGHT_OUT + next);
      UNROLL for (int b = 0; b < STREAMS; ++b) UNROLL for (int v = 0; v < VECTORS; ++v)
        total[b][v] += factor[v] * z[b * OUT + o];
    }
  }
  UNROLL for (int b = 0; b < STREAMS; ++b) {
    store(gx + b * IN + at, total[b][0]);
    if (VECTORS > 1) store(gx + b * IN + next, total[b][VECTORS - 1]);
  }
}

// All inputs of a row for some streams. The last vector ends at the last input, and shares some with the one before.
template <int STREAMS>
INLINE void row(const float* gz, const weight_t* weight, const int64* readers, int64 count, int64 streams,
                int64 weight_pool, float* gx) {
  for (int i = 0; i < IN; i += VECTORS * LANES) {
    const int at = i + LANES <= IN ? i : IN - LANES;
    const int next = i + 2 * LANES <= IN ? i + LANES : IN - LANES;
    inputs<STREAMS>(gz, weight, readers, count, streams, weight_pool, gx, at, next);
  }
}

EXPORT void run(const float* gz, const weight_t* weight, const int64* readers, const int64* starts, float* gx,
                int64 rows, int64 streams, int64 weight_pool, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64 r = 0; r < rows; ++r) {
    const int64* own = readers + starts[r];
    const int64 count = starts[r + 1] - starts[r];
    float* sent = gx + r * streams * IN;
    int64 b = 0;
    for (; b + 6 <= streams; b += 6) row<6>(gz + b * OUT, weight, own, count, streams, weight_pool, sent + b * IN);
    for (; b + 2 <= streams; b += 2) row<2>(gz + b * OUT, weight, own, count, streams, weight_pool, sent + b * IN);
    for (; b < streams; ++b) row<1>(gz + b * OUT, weight, own, count, streams, weight_pool, sent + b * IN);
  }
}
