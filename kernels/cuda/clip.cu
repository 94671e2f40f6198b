// The norm of a segmented gradient and the factor that clips it, in three launches and the order of additions of
// ../include/norm.h: no thread waits for another. Lanes read neighbouring elements. The last launch is one thread's walk over
// the leaves, 3,000 of them at 25 million elements.
#include "grid.cuh"
#include "norm.h"

namespace tg {

__device__ inline i64 leaves_of(const i64 *segments, i64 row, i64 size) {
  return norm_leaves(segment_in(segments, row, size).length);
}

// lanes[leaf * NORM_LANES + lane] = the sum down the rows of one lane of one leaf; leaves are numbered through all segments.
template <class T>
__device__ inline void norm_lanes(double *lanes, const T *grad, const i64 *segments, i64 rows, i64 count, i64 size) {
  for (i64 number = thread_number(); number < count * NORM_LANES; number += thread_count()) {
    i64 leaf = number / NORM_LANES, row = 0;
    for (; row < rows && leaf >= leaves_of(segments, row, size); ++row) leaf -= leaves_of(segments, row, size);
    double total = 0;
    if (row < rows) {
      const Segment part = segment_in(segments, row, size);
      const i64 length = part.length, begin = leaf * NORM_LEAF, end = begin + NORM_LEAF;
      const T *x = grad + part.offset;
      for (i64 i = begin + number % NORM_LANES; i < end && i < length; i += NORM_LANES) total += (double)x[i] * (double)x[i];
    }
    lanes[number] = total;
  }
}

}  // namespace tg

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    norm_lanes_float32(double *lanes, const float *grad, const tg::i64 *segments, tg::i64 rows, tg::i64 count,
                       tg::i64 size) {
  tg::norm_lanes(lanes, grad, segments, rows, count, size);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    norm_lanes_float64(double *lanes, const double *grad, const tg::i64 *segments, tg::i64 rows, tg::i64 count,
                       tg::i64 size) {
  tg::norm_lanes(lanes, grad, segments, rows, count, size);
}

// leaves[leaf] = the sum over its lanes.
extern "C" __global__ void __launch_bounds__(tg::THREADS)
    norm_leaves(double *leaves, const double *lanes, tg::i64 count) {
  using namespace tg;
  for (i64 leaf = thread_number(); leaf < count; leaf += thread_count()) {
    double total = 0;
    for (i64 lane = 0; lane < NORM_LANES; ++lane) total += lanes[leaf * NORM_LANES + lane];
    leaves[leaf] = total;
  }
}

// The norm, and the factor in one column of the control array; by the first thread.
extern "C" __global__ void __launch_bounds__(tg::THREADS)
    clip_factors(double *control, double *norm, const double *leaves, const tg::i64 *segments, tg::i64 rows,
                 tg::i64 columns, tg::i64 column, double max_norm, double unscale, tg::i64 size) {
  using namespace tg;
  if (thread_number() != 0) return;
  double total = 0;
  for (i64 row = 0, leaf = 0; row < rows; ++row) {
    double sum = 0;
    for (const i64 last = leaf + leaves_of(segments, row, size); leaf < last; ++leaf) sum += leaves[leaf];
    total += sum;
  }
  *norm = square_root(total) * unscale;
  for (i64 row = 0; row < rows; ++row) control[row * columns + column] = clip_factor(*norm, max_norm) * unscale;
}
