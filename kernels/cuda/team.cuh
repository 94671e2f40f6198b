// Sums along rows by teams of threads: a warp for a row of up to WIDE elements, else a block. The order of additions depends
// on the row's length alone: each lane adds every LANES-th element, 64 at a time; then the lanes of a warp in pairs, at
// distances 16, 8, 4, 2, 1; then the warps one by one. All lanes get the same bits.
#pragma once
#include "grid.cuh"

namespace tg {

constexpr int WARP = 32;
constexpr i64 WIDE = 1024;
constexpr int ROOM = 3 * 8 * THREADS;  // bytes: three float64 for each thread

// The block's shared memory, of which one reduction at a time makes use.
__device__ inline void *shared_room() {
  alignas(16) __shared__ unsigned char room[ROOM];
  return room;
}

// f over the values of a team's lanes, the same in each of them; f must not mind the order of its two arguments.
template <int LANES, class T, class F>
__device__ inline T team_fold(T value, F f) {
  for (int distance = WARP / 2; distance > 0; distance /= 2)
    value = f(value, __shfl_xor_sync(0xffffffffu, value, distance));
  if constexpr (LANES > WARP) {
    T *room = (T *)shared_room();
    __syncthreads();  // what an earlier reduction left there has been read
    if (threadIdx.x % WARP == 0) room[threadIdx.x / WARP] = value;
    __syncthreads();
    value = room[0];
    for (int i = 1; i < LANES / WARP; ++i) value = f(value, room[i]);
  }
  return value;
}

// term(lane) + term(lane + step) + ... below count
template <class T, class Term>
__device__ inline T lane_sum(i64 lane, i64 count, i64 step, Term term) {
  T total = T(0);
  for (i64 i = lane; i < count;) {
    T part = T(0);
    for (int k = 0; k < 64 && i < count; ++k, i += step) part += term(i);
    total += part;
  }
  return total;
}

template <int LANES, class T, class Term>
__device__ inline T team_sum(i64 lane, i64 count, Term term) {
  return team_fold<LANES>(lane_sum<T>(lane, count, LANES, term), [](T a, T b) { return a + b; });
}

// The largest, NaN aside; -infinity of none.
template <int LANES, class T, class Term>
__device__ inline T team_largest(i64 lane, i64 count, T none, Term term) {
  auto larger = [](T a, T b) { return b > a ? b : a; };
  T largest = none;
  for (i64 i = lane; i < count; i += LANES) largest = larger(largest, term(i));
  return team_fold<LANES>(largest, larger);
}

// Runs body.row<LANES>(row, lane) for every row, in all lanes of its team.
template <int LANES, class Body>
__device__ inline void rows_of_teams(i64 rows, const Body &body) {
  constexpr int TEAMS = THREADS / LANES;
  const i64 first = (i64)blockIdx.x * TEAMS + threadIdx.x / LANES;
  for (i64 row = first; row < rows; row += (i64)gridDim.x * TEAMS) body.template row<LANES>(row, threadIdx.x % LANES);
}

template <class Body>
__device__ inline void each_row(i64 rows, i64 columns, const Body &body) {
  if (columns <= WIDE)
    rows_of_teams<WARP>(rows, body);
  else
    rows_of_teams<THREADS>(rows, body);
}

}  // namespace tg
