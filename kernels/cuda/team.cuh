// Sums along rows by teams of threads: a warp for a row of up to WIDE elements, else a block. The order of additions depends
// on the row's length and dtype alone: each lane adds N neighbouring elements, 16 bytes of what is stored, of every LANES * N,
// 64 at a time; then the lanes of a warp in pairs, at distances 16, 8, 4, 2, 1; then the warps one by one. All lanes get the
// same bits. A row at another address than a multiple of 16 is read by the same lanes one by one.
#pragma once
#include "grid.cuh"

namespace tg {

constexpr i64 WIDE = 1024;
constexpr int TEAM_ROOM = 8 * THREADS;  // bytes: a float64 for each thread

// The block's shared memory, of which one reduction at a time makes use.
__device__ inline void *team_room() {
  alignas(16) __shared__ unsigned char room[TEAM_ROOM];
  return room;
}

// f over the values of a team's lanes, the same in each of them; f must not mind the order of its two arguments.
template <int LANES, class T, class F>
__device__ inline T team_fold(T value, F f) {
  for (int distance = WARP / 2; distance > 0; distance /= 2)
    value = f(value, __shfl_xor_sync(0xffffffffu, value, distance));
  if constexpr (LANES > WARP) {
    T *room = (T *)team_room();
    __syncthreads();  // what an earlier reduction left there has been read
    if (threadIdx.x % WARP == 0) room[threadIdx.x / WARP] = value;
    __syncthreads();
    value = room[0];
    for (int i = 1; i < LANES / WARP; ++i) value = f(value, room[i]);
  }
  return value;
}

// Runs f(i, left) for the lane's packs of N elements of a row: that of the elements i, ... i + N - 1, of which the first `left`
// are there.
template <int LANES, int N, class F>
__device__ inline void each_pack(i64 lane, i64 count, F f) {
  for (i64 i = lane * N; i < count; i += LANES * N) f(i, count - i);
}

// The sum of the lane's elements; terms(i, left): those of a pack.
template <int LANES, int N, class T, class Terms>
__device__ inline T lane_sum(i64 lane, i64 count, Terms terms) {
  T total = T(0);
  for (i64 i = lane * N; i < count;) {
    T part = T(0);
    for (int p = 0; p < 64 / N && i < count; ++p, i += LANES * N) {
      const Values<T, N> v = terms(i, count - i);
      for (int k = 0; k < N; ++k) part += i + k < count ? v.item[k] : T(0);
    }
    total += part;
  }
  return total;
}

template <int LANES, int N, class T, class Terms>
__device__ inline T team_sum(i64 lane, i64 count, Terms terms) {
  return team_fold<LANES>(lane_sum<LANES, N, T>(lane, count, terms), [](T a, T b) { return a + b; });
}

// The largest of x, NaN aside; -infinity of none.
template <int LANES, int N, class T, class S>
__device__ inline T team_largest(i64 lane, const S *x, i64 count, bool packs, T none) {
  auto larger = [](T a, T b) { return b > a ? b : a; };
  T largest = none;
  each_pack<LANES, N>(lane, count, [&](i64 i, i64 left) {
    const Values<T, N> v = read<T, N>(x, i, packs, left);
    for (int k = 0; k < N; ++k) largest = k < left ? larger(largest, v.item[k]) : largest;
  });
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
