// Maps over arrays, element by element: 16 bytes of each array at once where all addresses are multiples of 16, else one
// element; both give the same words.
#pragma once
#include "grid.cuh"

namespace tg {

// out[i] = f(x[i])
template <class T, class F>
__device__ inline void map(T *out, const T *x, i64 count, F f) {
  typedef Pack<T> P;
  const i64 whole = aligned(out) && aligned(x) ? count / P::SIZE : 0;
  for (i64 i = thread_number(); i < whole; i += thread_count()) {
    P u = ((const P *)x)[i];
    for (int k = 0; k < P::SIZE; ++k) u.item[k] = f(u.item[k]);
    ((P *)out)[i] = u;
  }
  for (i64 i = whole * P::SIZE + thread_number(); i < count; i += thread_count()) out[i] = f(x[i]);
}

// out[i] = f(x[i], y[i]), added to out[i] where `adds`
template <class T, class F>
__device__ inline void map(T *out, const T *x, const T *y, i64 count, bool adds, F f) {
  typedef Pack<T> P;
  const i64 whole = aligned(out) && aligned(x) && aligned(y) ? count / P::SIZE : 0;
  for (i64 i = thread_number(); i < whole; i += thread_count()) {
    P u = ((const P *)x)[i], v = ((const P *)y)[i], w = {};
    if (adds) w = ((const P *)out)[i];
    for (int k = 0; k < P::SIZE; ++k) put(&w.item[k], f(u.item[k], v.item[k]), adds);
    ((P *)out)[i] = w;
  }
  for (i64 i = whole * P::SIZE + thread_number(); i < count; i += thread_count()) put(out + i, f(x[i], y[i]), adds);
}

}  // namespace tg
