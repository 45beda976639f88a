// gW[g][s] = sum over b of gz[g][b] x[index[g][s]][b] transposed
//
// OUTS outputs by two vectors of inputs are summed over all streams in registers.
constexpr int VECTORS = (IN + LANES - 1) / LANES < 2 ? 1 : 2;
constexpr int OUTS = OUT < 6 ? OUT : 6;

INLINE void weights(const float* gz, const float* x, int64 streams, int64 stream_stride, float* gw, int first, int at,
                    int next) {
  vec total[OUTS][VECTORS] = {};
  for (int64 b = 0; b < streams; ++b) {
    vec read[2];
    read[0] = load(x + b * stream_stride + at);
    if (VECTORS > 1) read[1] = load(x + b * stream_stride + next);
    UNROLL for (int o = 0; o < OUTS; ++o) UNROLL for (int v = 0; v < VECTORS; ++v)
      total[o][v] += read[v] * gz[b * OUT + first + o];
  }
  UNROLL for (int o = 0; o < OUTS; ++o) {
    store(gw + (first + o) * IN + at, total[o][0]);
    if (VECTORS > 1) store(gw + (first + o) * IN + next, total[o][VECTORS - 1]);
  }
}

EXPORT void run(const float* gz, const float* rows, const int64* index, float* gw, int64 pools, int64 streams,
                int64 row_stride, int64 stream_stride, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64 e = 0; e < pools * SOURCES; ++e) {
    const float* z = gz + e / SOURCES * streams * OUT;
    const float* x = rows + index[e] * row_stride;
    // Where a step does not divide the last ones are computed twice.
    for (int o = 0; o < OUT; o += OUTS) for (int i = 0; i < IN; i += VECTORS * LANES) {
      const int first = o + OUTS <= OUT ? o : OUT - OUTS;
      const int at = i + LANES <= IN ? i : IN - LANES;
      const int next = i + 2 * LANES <= IN ? i + LANES : IN - LANES;
      weights(z, x, streams, stream_stride, gw + e * OUT * IN, first, at, next);
    }
  }
}
