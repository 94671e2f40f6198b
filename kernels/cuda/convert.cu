// float32 to bfloat16, rounded to nearest, and back. A thread takes eight values at once where both addresses are multiples of
// 16. Moves 6 bytes an element, 8 where it is added to what is there.
#include "grid.cuh"

using namespace tg;

namespace tg {

template <class To, class From>
__device__ inline void convert(To *out, const From *x, i64 count, bool adds) {
  constexpr i64 EIGHT = 8;
  const i64 whole = aligned(out) && aligned(x) ? count / EIGHT : 0;
  for (i64 i = thread_number(); i < whole; i += thread_count()) {
    constexpr int IN = EIGHT / Pack<From>::SIZE, OUT = EIGHT / Pack<To>::SIZE;
    Pack<From> from[IN];
    Pack<To> to[OUT];
    for (int k = 0; k < IN; ++k) from[k] = load_pack(x, IN * i + k);
    for (int k = 0; k < OUT; ++k) to[k] = adds ? load_pack(out, OUT * i + k) : Pack<To>{};
    for (int k = 0; k < EIGHT; ++k)
      put(&to[k / Pack<To>::SIZE].item[k % Pack<To>::SIZE], (float)from[k / Pack<From>::SIZE].item[k % Pack<From>::SIZE], adds);
    for (int k = 0; k < OUT; ++k) store_pack(out, OUT * i + k, to[k]);
  }
  for (i64 i = whole * EIGHT + thread_number(); i < count; i += thread_count()) put(out + i, (float)x[i], adds);
}

}  // namespace tg

extern "C" __global__ void __launch_bounds__(THREADS, 2) narrow_bfloat16(bfloat16 *out, const float *x, i64 count, i64 adds) {
  convert(out, x, count, adds);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) widen_float32(float *out, const bfloat16 *x, i64 count, i64 adds) {
  convert(out, x, count, adds);
}
