// A frame of many small pools for one stream: what is written in an afternoon for nets of these sizes to be fast, with
// vectors of eight floats in the notation of GCC and Clang. SOURCES, SIZE (units or channels) and, of maps, HEIGHT and
// WIDTH are defined by who compiles it; units, height and width are multiples of 8.
#include <cstdint>
#include <cstring>

#define EXPORT extern "C" __attribute__((visibility("default")))

typedef float vec __attribute__((vector_size(32), aligned(4), may_alias));

static inline vec load(const float* from) { return *(const vec*)from; }
static inline void store(float* to, vec values) { *(vec*)to = values; }

#ifndef HEIGHT
// sent[g] = bias[g] + sum over s of W[g][s] rows[index[g][s]]. The weights of an input lie next to each other, so that
// a vector of them is multiplied by one number; two sums each, as a sum has to wait for itself.
EXPORT void run(const float* rows, const float* weight, const int64_t* index, const float* bias, float* sent,
                int64_t pools) {
  constexpr int VECTORS = SIZE / 8;
#pragma omp parallel for schedule(static)
  for (int64_t g = 0; g < pools; ++g) {
    vec sum[2][VECTORS] = {};
    for (int v = 0; v < VECTORS; ++v) sum[0][v] = load(bias + g * SIZE + v * 8);
    for (int s = 0; s < SOURCES; ++s) {
      const float* x = rows + index[g * SOURCES + s] * SIZE;
      const float* w = weight + (g * SOURCES + s) * SIZE * SIZE;
      for (int i = 0; i < SIZE; ++i)
        for (int v = 0; v < VECTORS; ++v) sum[i % 2][v] += x[i] * load(w + i * SIZE + v * 8);
    }
    for (int v = 0; v < VECTORS; ++v) store(sent + g * SIZE + v * 8, sum[0][v] + sum[1][v]);
  }
}
#else
// sent[g] = relu(bias[g] + sum over s of W[g][s] * rows[index[g][s]]), kernels of 3 x 3. Maps are copied into zeros,
// and eight rows of eight pixels are summed in registers.
EXPORT void run(const float* rows, const float* weight, const int64_t* index, const float* bias, float* sent,
                int64_t pools) {
  constexpr int PIXELS = HEIGHT * WIDTH, INPUTS = SOURCES * SIZE;
#pragma omp parallel
  {
    alignas(64) static thread_local float around[INPUTS][HEIGHT + 2][WIDTH + 8];
#pragma omp for schedule(static)
    for (int64_t g = 0; g < pools; ++g) {
      for (int c = 0; c < INPUTS; ++c) {
        const float* x = rows + (index[g * SOURCES + c / SIZE] * SIZE + c % SIZE) * PIXELS;
        for (int i = 0; i < HEIGHT; ++i) std::memcpy(&around[c][i + 1][1], x + i * WIDTH, WIDTH * sizeof(float));
      }
      for (int o = 0; o < SIZE; ++o)
        for (int at_i = 0; at_i < HEIGHT; at_i += 8)
          for (int at_j = 0; at_j < WIDTH; at_j += 8) {
            vec sum[8];
            for (int i = 0; i < 8; ++i) sum[i] = bias[g * SIZE + o] - vec{};
            for (int c = 0; c < INPUTS; ++c) {
              const float* w = weight + (((g * SOURCES + c / SIZE) * SIZE + o) * SIZE + c % SIZE) * 9;
              for (int k = 0; k < 3; ++k)
                for (int l = 0; l < 3; ++l)
                  for (int i = 0; i < 8; ++i) sum[i] += w[k * 3 + l] * load(&around[c][at_i + i + k][at_j + l]);
            }
            float* pixels = sent + (g * SIZE + o) * PIXELS + at_i * WIDTH + at_j;
            for (int i = 0; i < 8; ++i) store(pixels + i * WIDTH, sum[i] < 0 ? vec{} : sum[i]);
          }
    }
  }
}
#endif
