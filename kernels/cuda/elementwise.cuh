// Maps over arrays, element by element: 16 bytes of each array at once where all addresses are multiples of 16 (four float32,
// two float64, eight bfloat16), else one element; both give the same words.
#pragma once
#include "grid.cuh"

namespace tg {

// out[i] = f(x[i]), computed in T
template <class T, class S, class F>
__device__ inline void map(S *out, const S *x, i64 count, F f) {
  typedef Pack<S> P;
  const i64 whole = aligned(out) && aligned(x) ? count / P::SIZE : 0;
  for (i64 i = thread_number(); i < whole; i += thread_count()) {
    P u = load_pack(x, i);
    for (int k = 0; k < P::SIZE; ++k) u.item[k] = f(T(u.item[k]));
    store_pack(out, i, u);
  }
  for (i64 i = whole * P::SIZE + thread_number(); i < count; i += thread_count()) out[i] = f(T(x[i]));
}

// out[i] = f(x[i], y[i]), added to out[i] where `adds`
template <class T, class S, class F>
__device__ inline void map(S *out, const S *x, const S *y, i64 count, bool adds, F f) {
  typedef Pack<S> P;
  const i64 whole = aligned(out) && aligned(x) && aligned(y) ? count / P::SIZE : 0;
  for (i64 i = thread_number(); i < whole; i += thread_count()) {
    P u = load_pack(x, i), v = load_pack(y, i), w = {};
    if (adds) w = load_pack(out, i);
    for (int k = 0; k < P::SIZE; ++k) put(&w.item[k], f(T(u.item[k]), T(v.item[k])), adds);
    store_pack(out, i, w);
  }
  for (i64 i = whole * P::SIZE + thread_number(); i < count; i += thread_count()) put(out + i, f(T(x[i]), T(y[i])), adds);
}

}  // namespace tg
