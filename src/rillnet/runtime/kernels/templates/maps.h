// A thread's own copy of the maps that a kernel reads, with zeros around them, so that no border needs a condition.
//
// With strides, pixels are dealt out to STRIDE_X x STRIDE_Y phases, so that what neighbouring places read with one tap
// lies next to each other. Vectors of places begin at START; the map sent is held likewise, its rows SENT_PITCH apart.
constexpr int MAP = MAP_X * MAP_Y;
constexpr int SENT = SENT_X * SENT_Y;
constexpr int START[VECTORS] = {STARTS};
constexpr int HELD = VECTORS * LANES;

constexpr int tap(int k, int l) {
  return (k * DILATION_X % STRIDE_X * STRIDE_Y + l * DILATION_Y % STRIDE_Y) * PHASE +
         k * DILATION_X / STRIDE_X * PITCH + l * DILATION_Y / STRIDE_Y;
}

INLINE void copy_maps(const float* map, float* copy) {
  for (int c = 0; c < IN; ++c, map += MAP, copy += STRIDE_X * STRIDE_Y * PHASE)
    for (int x = 0; x < MAP_X; ++x) {
      const int at_x = x + BEFORE_X;
      float* row = copy + at_x % STRIDE_X * STRIDE_Y * PHASE + at_x / STRIDE_X * PITCH;
      for (int y = 0; y < MAP_Y; ++y) {
        const int at_y = y + BEFORE_Y;
        row[at_y % STRIDE_Y * PHASE + at_y / STRIDE_Y] = map[x * MAP_Y + y];
      }
    }
}
