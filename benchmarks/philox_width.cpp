// What W, the words of a lane that stand side by side, costs: two loops for each W, on one thread, for bench_philox.py.
//
// stream: words of consecutive elements. tile: the words of each row of a 64-column tile of a row-major array, as a kernel
// draws them that works down columns; where 4*W > 64 a row's 64 words need up to 64 counters, of which it keeps one word.
#include "../kernels/cpu/lanes.h"

using tg::u32;
using tg::u64;

namespace {

constexpr int TILE = 64;

template <int W>
void stream(u32 *out, u64 count, u64 seed) {
  const Keys keys(seed);
  for (u64 b = 0; b < count / (4 * W); ++b) philox_blocks<W, 1>(out + b * 4 * W, &b, 1, 2, keys);
}

template <int W>
void row_of_tile(u32 *out, u64 element, const Keys &keys) {
  constexpr int COUNTERS = W < TILE ? W : TILE;
  const u64 block = (element / (4 * W) * W + element % W) / COUNTERS;
  if (4 * W == TILE) return philox_blocks<W, 1>(out, &block, 1, 2, keys);
  u32 lanes[4 * COUNTERS];
  philox_blocks<COUNTERS, 1>(lanes, &block, 1, 2, keys);
  const u32 lane = (u32)(element / W) % 4;
  for (u32 k = 0; k < TILE; ++k) out[k] = lanes[(lane + k / COUNTERS) * COUNTERS + k % COUNTERS];
}

template <int W>
void tile(u32 *out, u64 rows, u64 columns, u64 seed) {
  const Keys keys(seed);
  for (u64 c = 0; c < columns; c += TILE)
    for (u64 r = 0; r < rows; ++r) row_of_tile<W>(out + r * columns + c, r * columns + c, keys);
}

}  // namespace

#define WIDTH(W)                                                                                            \
  extern "C" void stream_##W(u32 *out, u64 rows, u64 columns, u64 seed) { stream<W>(out, rows * columns, seed); } \
  extern "C" void tile_##W(u32 *out, u64 rows, u64 columns, u64 seed) { tile<W>(out, rows, columns, seed); }

WIDTH(16)
WIDTH(32)
WIDTH(64)
WIDTH(128)
