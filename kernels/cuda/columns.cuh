// Results down the columns of (rows, columns), in two launches and an order that depends on the shape alone. First each block
// takes a tile of `lanes` columns by a chunk of `chunk` rows (both chosen by columns.py): THREADS / lanes threads share a
// column, each reads HELD rows at a time, so that as many loads are under way, and their states are merged in pairs. Then
// one thread for each column merges the chunks, of which there are at most 64.
#pragma once
#include "team.cuh"

namespace tg {

constexpr int HELD = 8;

// N sums of a column.
template <class T, int N>
struct Sums {
  T value[N];
};

template <class T, int N>
__device__ inline Sums<T, N> merge(const Sums<T, N> &a, const Sums<T, N> &b) {
  Sums<T, N> total;
  for (int k = 0; k < N; ++k) total.value[k] = a.value[k] + b.value[k];
  return total;
}

// partial[chunk * columns + column] = the state of rows of one chunk. take(first, end, step, column): that of the rows
// first, first + step, ..., HELD of them at most and below `end`.
template <class State, class Take>
__device__ inline void column_partials(State *partial, i64 rows, i64 columns, i64 lanes, i64 chunk, Take take) {
  State *room = (State *)shared_room();
  const i64 x = threadIdx.x % lanes, y = threadIdx.x / lanes, down = THREADS / lanes;
  const i64 tiles = ceil_div(columns, lanes), items = tiles * ceil_div(rows, chunk);
  for (i64 item = blockIdx.x; item < items; item += gridDim.x) {
    const i64 column = item % tiles * lanes + x, piece = item / tiles, end = least((piece + 1) * chunk, rows);
    State total = {};
    if (column < columns)
      for (i64 row = piece * chunk + y; row < end; row += HELD * down) total = merge(total, take(row, end, down, column));
    __syncthreads();  // the last item's states have been read
    room[threadIdx.x] = total;
    for (i64 half = down / 2; half > 0; half /= 2) {
      __syncthreads();
      if (y < half) room[threadIdx.x] = merge(room[threadIdx.x], room[threadIdx.x + half * lanes]);
    }
    if (y == 0 && column < columns) partial[piece * columns + column] = room[threadIdx.x];
  }
}

// A `take` of N sums: add(row, column, values) adds one row's terms.
template <class T, int N, class Add>
__device__ inline Sums<T, N> take_sums(i64 first, i64 end, i64 step, i64 column, Add add) {
  Sums<T, N> held = {};
#pragma unroll
  for (int k = 0; k < HELD; ++k)
    if (first + k * step < end) add(first + k * step, column, held.value);
  return held;
}

template <class State>
__device__ inline State column_total(const State *partial, i64 chunks, i64 columns, i64 column) {
  State total = {};
  for (i64 piece = 0; piece < chunks; ++piece) total = merge(total, partial[piece * columns + column]);
  return total;
}

}  // namespace tg
