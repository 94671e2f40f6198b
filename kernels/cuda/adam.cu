// Adam and AdamW over all segments of a flat buffer in one launch; the formula is in ../include/adam.h.
//
// theta, grad, m, v: n elements. segments: rows of (offset, length). control: a row of ADAM_COLUMNS doubles a segment.
// Moves 28 bytes an element in float32. Where all four addresses are multiples of 16 a thread takes 16 bytes of each at
// once, else one element; both give the same words.
#include "adam.h"
#include "grid.cuh"

namespace tg {

template <class T>
struct AdamTile {
  T *theta;
  const T *grad;
  T *m, *v;
  AdamScalars<T> scalars;
  bool decays, shrinks;

  __device__ void operator()(i64 first, i64 count) const {
    T *p = theta + first, *p_m = m + first, *p_v = v + first;
    const T *g = grad + first;
    if (aligned(p) && aligned(g) && aligned(p_m) && aligned(p_v)) {
      packs(p, g, p_m, p_v, count);
    } else {
      singles(p, g, p_m, p_v, threadIdx.x, blockDim.x, count);
    }
  }

  __device__ void packs(T *p, const T *g, T *p_m, T *p_v, i64 count) const {
    typedef Pack<T> P;
    const i64 whole = count / P::SIZE;
    for (i64 i = threadIdx.x; i < whole; i += blockDim.x) {
      P a = ((const P *)p)[i], b = ((const P *)g)[i], c = ((const P *)p_m)[i], d = ((const P *)p_v)[i];
      for (int k = 0; k < P::SIZE; ++k) adam(a.item[k], b.item[k], c.item[k], d.item[k], scalars, decays, shrinks);
      ((P *)p)[i] = a;
      ((P *)p_m)[i] = c;
      ((P *)p_v)[i] = d;
    }
    singles(p, g, p_m, p_v, whole * P::SIZE + threadIdx.x, blockDim.x, count);
  }

  __device__ void singles(T *p, const T *g, T *p_m, T *p_v, i64 first, i64 step, i64 count) const {
    for (i64 i = first; i < count; i += step) adam(p[i], g[i], p_m[i], p_v[i], scalars, decays, shrinks);
  }
};

template <class T>
__device__ inline void adam_segments(T *theta, const T *grad, T *m, T *v, const i64 *segments, const double *control,
                                     i64 rows) {
  each_tile(segments, rows, [=](i64 row) {
    const double *scalars = control + ADAM_COLUMNS * row;
    return AdamTile<T>{theta, grad, m, v, adam_scalars<T>(scalars), adam_decays(scalars), adam_shrinks(scalars)};
  });
}

}  // namespace tg

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    adam_segments_float32(float *theta, const float *grad, float *m, float *v, const tg::i64 *segments,
                          const double *control, tg::i64 rows) {
  tg::adam_segments(theta, grad, m, v, segments, control, rows);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    adam_segments_float64(double *theta, const double *grad, double *m, double *v, const tg::i64 *segments,
                          const double *control, tg::i64 rows) {
  tg::adam_segments(theta, grad, m, v, segments, control, rows);
}
