// The norm of a segmented gradient and the factor that clips it, in three launches and the order of additions of
// ../include/norm.h: no thread waits for another. A thread takes neighbouring lanes, 16 bytes, of a leaf. The last launch is
// one thread's walk over the leaves, 12,000 of them at 100 million elements, which its block fetches ahead of it.
#include "norm.h"
#include "team.cuh"

namespace tg {

__device__ inline i64 leaves_of(const i64 *segments, i64 row, i64 size) {
  return norm_leaves(segment_in(segments, row, size).length);
}

// lanes[leaf * NORM_LANES + lane] = the sum down the rows of one lane of one leaf; leaves are numbered through all segments.
template <class T>
__device__ inline void norm_lanes(double *lanes, const T *grad, const i64 *segments, i64 rows, i64 count, i64 size) {
  constexpr int N = Pack<T>::SIZE;
  for (i64 number = thread_number() * N; number < count * NORM_LANES; number += thread_count() * N) {
    i64 leaf = number / NORM_LANES, row = 0;
    for (; row < rows && leaf >= leaves_of(segments, row, size); ++row) leaf -= leaves_of(segments, row, size);
    Values<double, N> total = {};
    if (row < rows) {
      const Segment part = segment_in(segments, row, size);
      const i64 begin = leaf * NORM_LEAF, end = least(begin + NORM_LEAF, part.length);
      const T *x = grad + part.offset;
      const bool packs = aligned(x);
#pragma unroll 4
      for (i64 i = begin + number % NORM_LANES; i < end; i += NORM_LANES) {
        const Values<T, N> v = read<T, N>(x, i, packs, end - i);
        for (int k = 0; k < N; ++k) total.item[k] += (double)v.item[k] * (double)v.item[k];
      }
    }
    write<N>(lanes, number, total, false);
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
    for (i64 lane = 0; lane < NORM_LANES; lane += 2) {
      const Values<double, 2> pair = read<double, 2>(lanes, leaf * NORM_LANES + lane);
      total = (total + pair.item[0]) + pair.item[1];
    }
    leaves[leaf] = total;
  }
}

namespace tg {

// Adds leaves, which come one by one, to the sums of their segments, and these to one another.
struct LeafSum {
  const i64 *segments;
  i64 rows, size, row, left;
  double sum, total;

  __device__ void add(double leaf) {
    while (left == 0 && row < rows) {
      total += sum;
      sum = 0;
      left = leaves_of(segments, row++, size);
    }
    if (left == 0) return;  // there is room for more leaves than segments have
    sum += leaf;
    --left;
  }
};

}  // namespace tg

// The norm, and the factor in one column of the control array; by the first block's first thread.
extern "C" __global__ void __launch_bounds__(tg::THREADS)
    clip_factors(double *control, double *norm, const double *leaves, tg::i64 count, const tg::i64 *segments, tg::i64 rows,
                 tg::i64 columns, tg::i64 column, double max_norm, double unscale, tg::i64 size) {
  using namespace tg;
  double *room = (double *)team_room();
  if (blockIdx.x != 0) return;
  LeafSum all = {segments, rows, size, 0, 0, 0, 0};
  for (i64 first = 0; first < count; first += THREADS) {
    __syncthreads();
    if (first + threadIdx.x < count) room[threadIdx.x] = leaves[first + threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0)
      for (i64 i = 0; i < THREADS && first + i < count; ++i) all.add(room[i]);
  }
  if (threadIdx.x != 0) return;
  *norm = square_root(all.total + all.sum) * unscale;
  for (i64 row = 0; row < rows; ++row) control[row * columns + column] = clip_factor(*norm, max_norm) * unscale;
}
