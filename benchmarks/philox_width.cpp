// What W, the words of a lane that stand side by side, costs: two loops for each W, on one thread, for bench_philox.py.
//
// stream: words of consecutive elements. tile: the words of each row of a 64-column tile of a row-major array, as a kernel
// draws them that works down columns; where 4*W > 64 a row's 64 words need up to 64 counters, of which it keeps one word.
#include "../kernels/cpu/lanes.h"

using tg::u32;
using tg::u64;

namespace {

constexpr int TILE = 64, AT_ONCE = sizeof(Lanes::Word) / 4;

template <int W>
void stream(u32 *out, u64 count, u64 seed) {
  for (u64 b = 0; b < count / (4 * W); ++b) philox_block<W>(out + b * 4 * W, b, 1, 2, seed);
}

template <int W>
void row_of_tile(u32 *out, u64 element, u64 seed) {
  if (4 * W == TILE) return philox_block<W>(out, element / TILE, 1, 2, seed);
  constexpr int COUNTERS = W < TILE ? W : TILE;
  u32 lanes[4 * COUNTERS];
  for (int j = 0; j < COUNTERS; j += AT_ONCE)
    philox_counters(lanes + j, COUNTERS, element / (4 * W) * W + element % W + j, 1, 2, seed);
  const u32 lane = (u32)(element / W) % 4;
  for (u32 k = 0; k < TILE; ++k) out[k] = lanes[(lane + k / COUNTERS) * COUNTERS + k % COUNTERS];
}

template <int W>
void tile(u32 *out, u64 rows, u64 columns, u64 seed) {
  for (u64 c = 0; c < columns; c += TILE)
    for (u64 r = 0; r < rows; ++r) row_of_tile<W>(out + r * columns + c, r * columns + c, seed);
}

}  // namespace

#define WIDTH(W)                                                                                            \
  extern "C" void stream_##W(u32 *out, u64 rows, u64 columns, u64 seed) { stream<W>(out, rows * columns, seed); } \
  extern "C" void tile_##W(u32 *out, u64 rows, u64 columns, u64 seed) { tile<W>(out, rows, columns, seed); }

WIDTH(16)
WIDTH(32)
WIDTH(64)
WIDTH(128)
