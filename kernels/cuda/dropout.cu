// Dropout, and its gradient, which is the same map; the formula is in ../include/dropout.h.
//
// A thread makes one counter's four words and serves their four elements, PHILOX_W apart: each group of PHILOX_W
// neighbouring threads reads and writes PHILOX_W neighbouring elements, at any alignment. The mask is made where it is
// used, forward and backward. Moves 8 bytes an element in float32 (12 where it accumulates), in bfloat16 half of that.
#include "dropout.h"
#include "grid.cuh"
#include "philox.h"

namespace tg {

// out[i] = dropout(x[i]), added to out[i] where `accumulates`; the step is *cell + offset; threshold: 0 to 2^32.
// x and out may be the same array.
template <class T, class S>
__device__ inline void dropout_elements(S *out, const S *x, i64 count, u64 seed, i64 stream, const i64 *cell,
                                        i64 offset, i64 threshold, T scale, i64 accumulates) {
  const i64 counters = (count + 4 * PHILOX_W - 1) / (4 * PHILOX_W) * PHILOX_W;
  const u32 step = (u32)(*cell + offset), last = (u32)(threshold - 1);
  for (i64 c = thread_number(); c < counters; c += thread_count()) {
    const i64 start = c / PHILOX_W * (4 * PHILOX_W) + c % PHILOX_W;
    T value[4];
    u32 words[4];
    for (int lane = 0; lane < 4; ++lane) {
      const i64 i = start + lane * PHILOX_W;
      value[lane] = i < count ? T(x[i]) : T(0);
    }
    philox_counter(words, (u64)c, step, (u32)stream, seed);
    for (int lane = 0; lane < 4; ++lane) {
      const i64 i = start + lane * PHILOX_W;
      const T kept = threshold ? dropout(value[lane], words[lane], last, scale) : T(0);
      if (i < count) put(out + i, kept, accumulates);
    }
  }
}

}  // namespace tg

TG_GLOBAL(dropout,
          (S *out, const S *x, tg::i64 count, tg::u64 seed, tg::i64 stream, const tg::i64 *cell, tg::i64 offset,
           tg::i64 threshold, T scale, tg::i64 accumulates),
          tg::dropout_elements(out, x, count, seed, stream, cell, offset, threshold, scale, accumulates))
