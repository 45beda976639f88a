// Vectors of LANES floats, in the notation that both GCC and Clang know: no header is read, so compiling is quick.
typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float unaligned_vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int lanes __attribute__((vector_size(LANES * 4)));
typedef unsigned bits __attribute__((vector_size(LANES * 4)));
typedef float quad __attribute__((vector_size(16)));
typedef float unaligned_quad __attribute__((vector_size(16), aligned(4), may_alias));
typedef __INT64_TYPE__ int64;

#define INLINE static inline __attribute__((always_inline))
#define EXPORT extern "C" __attribute__((visibility("default")))
#define UNROLL _Pragma("GCC unroll 32")
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (lanes){__VA_ARGS__})
#endif

INLINE vec load(const float* p) { return *(const unaligned_vec*)p; }
INLINE void store(float* p, vec v) { *(unaligned_vec*)p = v; }
INLINE quad load_quad(const float* p) { return *(const unaligned_quad*)p; }
INLINE void store_quad(float* p, quad v) { *(unaligned_quad*)p = v; }

#if WEIGHT_BITS == 16
// A bfloat16 is the upper half of a float.
typedef unsigned short weight_t;
typedef unsigned short halves __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
INLINE vec load_weights(const weight_t* p) {
  return (vec)(__builtin_convertvector(*(const halves*)p, bits) << 16);
}
#else
typedef float weight_t;
INLINE vec load_weights(const weight_t* p) { return load(p); }
#endif

// Sums of neighbouring lanes of a and b, by parts of four lanes as the processor's own instruction has it.
INLINE vec pairwise(vec a, vec b) {
#if LANES == 16
  return SHUFFLE(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
         SHUFFLE(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
#elif LANES == 8
  return SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) + SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
#else
  return SHUFFLE(a, b, 0, 2, 4, 6) + SHUFFLE(a, b, 1, 3, 5, 7);
#endif
}

// The sums over all lanes of four vectors.
INLINE quad sums(vec a, vec b, vec c, vec d) {
  union { vec whole; quad parts[LANES / 4]; } by_part = {pairwise(pairwise(a, b), pairwise(c, d))};
  quad total = by_part.parts[0];
  UNROLL for (int part = 1; part < LANES / 4; ++part) total += by_part.parts[part];
  return total;
}
