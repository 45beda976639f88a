// y[g][b] = act(sum over s of W[g][s] x[index[g][s]][b] + bias[g])
//
// A weight's inputs lie next to each other, as torch.nn.Linear has them: outputs are products of vectors, OUTS of them
// at a time with STREAMS streams, so that all partial sums stay in registers and each weight is loaded once for all
// these streams. What is left after whole vectors of inputs is read as a vector that ends at the last input; of x,
// what was in the vector before counts as 0.
constexpr int REST = IN % LANES;

INLINE vec last_inputs(const float* x) {
  lanes number, first = {};
  UNROLL for (int lane = 0; lane < LANES; ++lane) number[lane] = lane;
  return (vec)((lanes)load(x + IN - LANES) & (number >= first + (LANES - REST)));
}

template <int OUTS, int STREAMS>
INLINE void outputs(const weight_t* weight, const float* rows, const int64* index, int64 row_stride,
                    int64 stream_stride, const float* bias, float* y, int first) {
  vec total[STREAMS][OUTS] = {};
  for (int s = 0; s < SOURCES; ++s) {
    const float* x = rows + index[s] * row_stride;
    const weight_t* w = weight + s * WEIGHT_SOURCE;
    for (int i = 0; i + LANES <= IN; i += LANES) {
      vec read[STREAMS];
      UNROLL for (int b = 0; b < STREAMS; ++b) read[b] = load(x + b * stream_stride + i);
      UNROLL for (int o = 0; o < OUTS; ++o) {
        const int row = OUT >= OUTS ? first + o : (o < OUT ? o : OUT - 1);
        const vec factor = load_weights(w + row * WEIGHT_OUT + i);
        UNROLL for (int b = 0; b < STREAMS; ++b) total[b][o] += factor * read[b];
      }
    }
    if (REST) {
      vec read[STREAMS];
      UNROLL for (int b = 0; b < STREAMS; ++b) read[b] = last_inputs(x + b * stream_stride);
      UNROLL for (int o = 0; o < OUTS; ++o) {
        const int row = OUT >= OUTS ? first + o : (o < OUT ? o : OUT - 1);
        const vec factor = load_weights(w + row * WEIGHT_OUT + IN - LANES);
        UNROLL for (int b = 0; b < STREAMS; ++b) total[b][o] += factor * read[b];
      }
    }
  }
  UNROLL for (int b = 0; b < STREAMS; ++b) UNROLL for (int o = 0; o < OUTS; o += 4) {
    quad z = sums(total[b][o], total[b][o + 1], total[b][o + 2], total[b][o + 3]);
    float* sent = y + b * OUT + first + o;
    if (OUT >= 4) {
      if (BIAS) z += load_quad(bias + first + o);
      store_quad(sent, z);
    } else {
      UNROLL for (int n = 0; n < (OUT < 4 ? OUT : 4); ++n) if (BIAS) z[n] += bias[n];
      UNROLL for (int n = 0; n < (OUT < 4 ? OUT : 4); ++n) sent[n] = z[n];
    }
  }
}

// All outputs of a pool for some streams. Where OUTS does not divide them the last ones are computed twice.
template <int OUTS, int STREAMS>
INLINE void pool(const weight_t* weight, const float* rows, const int64* index, int64 row_stride,
                 int64 stream_stride, const float* bias, float* y) {
  for (int o = 0; o < OUT; o += OUTS) {
    const int first = OUT < OUTS ? 0 : (o + OUTS <= OUT ? o : OUT - OUTS);
    outputs<OUTS, STREAMS>(weight, rows, index, row_stride, stream_stride, bias, y, first);
  }
}

EXPORT void run(const float* rows, const weight_t* weight, const int64* index, const float* bias, float* y,
                int64 pools, int64 streams, int64 row_stride, int64 stream_stride, int64 weight_pool, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64 g = 0; g < pools; ++g) {
    const weight_t* own = weight + g * weight_pool;
    const int64* sources = index + g * SOURCES;
    const float* shift = BIAS ? bias + g * OUT : 0;
    float* sent = y + g * streams * OUT;
    // The rows are anywhere: they are asked for early, while others are computed with.
    if (g + AHEAD < pools) {
      const int64* later = sources + AHEAD * SOURCES;
      for (int s = 0; s < SOURCES; ++s) __builtin_prefetch(rows + later[s] * row_stride);
    }
    int64 b = 0;
    if (streams == 1) pool<SINGLE_OUTS, 1>(own, rows, sources, row_stride, stream_stride, shift, sent), b = 1;
    for (; b + 3 <= streams; b += 3)
      pool<4, 3>(own, rows + b * stream_stride, sources, row_stride, stream_stride, shift, sent + b * OUT);
    if (streams - b == 2)
      pool<4, 2>(own, rows + b * stream_stride, sources, row_stride, stream_stride, shift, sent + b * OUT);
    else if (streams - b == 1)
      pool<4, 1>(own, rows + b * stream_stride, sources, row_stride, stream_stride, shift, sent + b * OUT);
    activate(sent, streams * OUT);
  }
}
