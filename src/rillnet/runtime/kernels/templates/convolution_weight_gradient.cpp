// gW[g][s][o][c][k][l] = sum over b and places of gz[g][b][o] x[index[g][s]][b][c] moved by (k, l)
//
// OUTS outputs by up to three taps of a row are summed over all places of a stream in registers.
constexpr int OUTS = 4;
constexpr int TAPS = TAPS_X * TAPS_Y;

template <int COUNT>
INLINE void taps(const float* copy, const float* held, float* gw, int first, int k, int l) {
  vec total[COUNT][OUTS] = {};
  const float* read = copy + tap(k, l);
  for (int j = 0; j < VECTORS; ++j) {
    vec z[OUTS];
    UNROLL for (int o = 0; o < OUTS; ++o) {
      const int channel = OUT >= OUTS ? first + o : (o < OUT ? o : OUT - 1);
      z[o] = load(held + channel * HELD + j * LANES);
    }
    UNROLL for (int n = 0; n < COUNT; ++n) {
      const vec pixels = load(read + START[j] + tap(k, l + n) - tap(k, l));
      UNROLL for (int o = 0; o < OUTS; ++o) total[n][o] += z[o] * pixels;
    }
  }
  UNROLL for (int n = 0; n < COUNT; ++n) {
    const quad all = sums(total[n][0], total[n][1], total[n][2], total[n][3]);
    UNROLL for (int o = 0; o < (OUT < OUTS ? OUT : OUTS); ++o)
      gw[(first + o) * IN * TAPS + k * TAPS_Y + l + n] = all[o];
  }
}

INLINE void copy_sent(const float* gz, float* held) {
  for (int o = 0; o < OUT; ++o) for (int x = 0; x < SENT_X; ++x)
    for (int y = 0; y < SENT_Y; ++y) held[o * HELD + x * SENT_PITCH + y] = gz[o * SENT + x * SENT_Y + y];
}

// All weights of one source for one stream. Where OUTS does not divide the last ones are computed twice.
INLINE void weights(const float* copy, const float* held, float* gw) {
  for (int step = 0; step < OUT; step += OUTS) for (int c = 0; c < IN; ++c) {
    const int first = OUT < OUTS ? 0 : (step + OUTS <= OUT ? step : OUT - OUTS);
    const float* map = copy + c * STRIDE_X * STRIDE_Y * PHASE;
    for (int k = 0; k < TAPS_X; ++k) {
      int l = 0;
      for (; l + 3 <= TAPS_Y; l += 3) taps<3>(map, held, gw + c * TAPS, first, k, l);
      for (; l < TAPS_Y; ++l) taps<1>(map, held, gw + c * TAPS, first, k, l);
    }
  }
}

EXPORT void run(const float* gz, const float* rows, const int64* index, float* gw, int64 pools, int64 streams,
                int64 row_stride, int64 stream_stride, int threads) {
#pragma omp parallel num_threads(threads)
  {
    alignas(64) float copy[COPY_SIZE] = {};
    alignas(64) float held[OUT * HELD] = {};
    alignas(64) float of_stream[OUT * IN * TAPS];
#pragma omp for schedule(static)
    for (int64 e = 0; e < pools * SOURCES; ++e) {
      float* sum = gw + e * OUT * IN * TAPS;
      for (int64 b = 0; b < streams; ++b) {
        copy_maps(rows + index[e] * row_stride + b * stream_stride, copy);
        copy_sent(gz + (e / SOURCES * streams + b) * OUT * SENT, held);
        weights(copy, held, b ? of_stream : sum);
        if (b) for (int n = 0; n < OUT * IN * TAPS; ++n) sum[n] += of_stream[n];
      }
    }
  }
}
