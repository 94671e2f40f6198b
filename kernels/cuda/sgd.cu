// Gradient descent over all segments of a flat buffer in one launch; the formula is in ../include/sgd.h.
//
// theta, grad: n elements. segments: rows of (offset, length). control: a row of SGD_COLUMNS doubles (lr, l2) a segment.
// Moves 12 bytes an element in float32; 16 bytes of each array at once where both addresses are multiples of 16.
#include "grid.cuh"
#include "sgd.h"

namespace tg {

template <class T>
struct SgdTile {
  T *theta;
  const T *grad;
  T lr, l2;
  bool decays;

  __device__ void operator()(i64 first, i64 count) const {
    typedef Pack<T> P;
    T *p = theta + first;
    const T *g = grad + first;
    const i64 whole = aligned(p) && aligned(g) ? count / P::SIZE : 0;
    for (i64 i = threadIdx.x; i < whole; i += blockDim.x) {
      P a = ((const P *)p)[i], b = ((const P *)g)[i];
      for (int k = 0; k < P::SIZE; ++k) sgd(a.item[k], b.item[k], lr, l2, decays);
      ((P *)p)[i] = a;
    }
    for (i64 i = whole * P::SIZE + threadIdx.x; i < count; i += blockDim.x) sgd(p[i], g[i], lr, l2, decays);
  }
};

template <class T>
__device__ inline void sgd_segments(T *theta, const T *grad, const i64 *segments, const double *control, i64 rows) {
  each_tile(segments, rows, [=](i64 row) {
    const double *scalars = control + SGD_COLUMNS * row;
    return SgdTile<T>{theta, grad, (T)scalars[0], (T)scalars[1], scalars[1] != 0};
  });
}

}  // namespace tg

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    sgd_segments_float32(float *theta, const float *grad, const tg::i64 *segments, const double *control,
                         tg::i64 rows) {
  tg::sgd_segments(theta, grad, segments, control, rows);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    sgd_segments_float64(double *theta, const double *grad, const tg::i64 *segments, const double *control,
                         tg::i64 rows) {
  tg::sgd_segments(theta, grad, segments, control, rows);
}
