// Dropout, and its gradient, which is the same map; the formula is in ../include/dropout.h.
//
// A thread makes neighbouring counters, as many as elements are 16 bytes, and serves their elements: four packs, PHILOX_W
// elements apart. At other addresses, and behind the last whole block of 4 PHILOX_W elements, it makes one counter and
// serves its four elements; both give the same words. The mask is made where it is used, forward and backward. Moves 8 bytes
// an element in float32 (12 where it accumulates), in bfloat16 half of that. Of packs an element takes about 33 operations of
// PTX in float32, one by one about 50.
#include "dropout.h"
#include "grid.cuh"
#include "philox.h"

namespace tg {

constexpr i64 BLOCK = 4 * PHILOX_W;  // the elements of PHILOX_W counters

// out[i] = dropout(x[i]), added to out[i] where `accumulates`; the step is *cell + offset; threshold: 0 to 2^32.
// x and out may be the same array.
template <class T, class S>
__device__ inline void dropout_elements(S *out, const S *x, i64 count, u64 seed, i64 stream, const i64 *cell,
                                        i64 offset, i64 threshold, T scale, i64 accumulates) {
  typedef Pack<S> P;
  constexpr i64 PACKS = PHILOX_W / P::SIZE;
  const u32 step = (u32)(*cell + offset), last = (u32)(threshold - 1);
  const i64 whole = aligned(out) && aligned(x) ? count / BLOCK : 0;
  for (i64 i = thread_number(); i < whole * PACKS; i += thread_count()) {
    const i64 first = i / PACKS * 4 * PACKS + i % PACKS;
    P u[4], v[4] = {};
    for (int lane = 0; lane < 4; ++lane) u[lane] = load_pack(x, first + lane * PACKS);
    if (accumulates)
      for (int lane = 0; lane < 4; ++lane) v[lane] = load_pack(out, first + lane * PACKS);
    TG_UNROLL for (int k = 0; k < P::SIZE; ++k) {
      u32 words[4];
      philox_counter(words, (u64)(i * P::SIZE + k), step, (u32)stream, seed);
      for (int lane = 0; lane < 4; ++lane) {
        const T kept = threshold ? dropout(T(u[lane].item[k]), words[lane], last, scale) : T(0);
        put(&v[lane].item[k], kept, accumulates);
      }
    }
    for (int lane = 0; lane < 4; ++lane) store_pack(out, first + lane * PACKS, v[lane]);
  }
  const i64 counters = ceil_div(count, BLOCK) * PHILOX_W;
  for (i64 c = whole * PHILOX_W + thread_number(); c < counters; c += thread_count()) {
    const i64 start = c / PHILOX_W * BLOCK + c % PHILOX_W;
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
