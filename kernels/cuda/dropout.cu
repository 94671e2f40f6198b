// Dropout, and its gradient, which is the same map; the formula is in ../include/dropout.h.
//
// The mask is made where it is used, forward and backward. Moves 8 bytes an element in float32 (12 where it accumulates), in
// bfloat16 half of that; in float32 an element takes 35 instructions of sm_90. x and out may be the same array; threshold: 0 to 2^32.
#include "tail.cuh"

using namespace tg;

namespace tg {

template <class T, class S>
struct Plain {
  const S *x;
  __device__ bool in_packs() const { return aligned(x); }
  template <int N>
  __device__ Values<T, N> at(i64 i, i64) const {
    return read<T, N>(x, i);
  }
};

}  // namespace tg

TG_GLOBAL(dropout,
          (S *out, const S *x, i64 count, u64 seed, i64 stream, const i64 *cell, i64 offset, i64 threshold, T scale,
           i64 accumulates),
          finish(out, count, UNIT<S>, Tail<T>{NOTHING, T(0), cell, offset, seed, stream, threshold, scale}, accumulates != 0,
                 Plain<T, S>{x}))
