// Results down the columns of (rows, columns), in two launches and an order that depends on shape and dtype alone. First each
// block takes a tile of `lanes` times N columns by a chunk of `chunk` rows (both chosen by columns.py): THREADS / lanes threads
// share N neighbouring columns, 16 bytes, and each reads HELD rows at a time, so that as many loads are under way; their states
// are merged in pairs. Then one thread for each column merges the chunks, of which there are at most 64. Where rows or
// addresses do not allow 16 bytes at once, the same threads read the same columns one by one.
#pragma once
#include "grid.cuh"

namespace tg {

template <class S>
constexpr int HELD = sizeof(S) == 2 ? 4 : 8;
constexpr int AT_ONCE = 4;                         // the columns whose states are merged at a time
constexpr int COLUMN_ROOM = 6 * 8 * THREADS;       // bytes: six float64 for each thread

// The block's shared memory, of which one merging at a time makes use.
__device__ inline void *column_room() {
  alignas(16) __shared__ unsigned char room[COLUMN_ROOM];
  return room;
}

// M sums of a column.
template <class T, int M>
struct Sums {
  T value[M];
};

template <class T, int M>
__device__ inline Sums<T, M> merge(const Sums<T, M> &a, const Sums<T, M> &b) {
  Sums<T, M> total;
  for (int k = 0; k < M; ++k) total.value[k] = a.value[k] + b.value[k];
  return total;
}

// Where a thread reads: N neighbouring columns of rows, of which the first `left` are there.
struct Place {
  i64 first, end, step, column, left;
  bool packs;
};

// partial[chunk * columns + column] = the state of rows of one chunk. take(place, total): merges into total[0..N) the states
// of the rows first, first + step, ..., HELD<S> of them at most and below `end`.
template <class S, class State, class Take>
__device__ inline void column_partials(State *partial, i64 rows, i64 columns, i64 lanes, i64 chunk, bool packs, Take take) {
  constexpr int N = Pack<S>::SIZE, SOME = N < AT_ONCE ? N : AT_ONCE;
  static_assert(SOME * sizeof(State) * THREADS <= COLUMN_ROOM, "shared memory for the states");
  State *room = (State *)column_room() + threadIdx.x * SOME;
  const i64 x = threadIdx.x % lanes, y = threadIdx.x / lanes, down = THREADS / lanes;
  const i64 tiles = ceil_div(columns, lanes * N), items = tiles * ceil_div(rows, chunk);
  for (i64 item = blockIdx.x; item < items; item += gridDim.x) {
    const i64 column = (item % tiles * lanes + x) * N, piece = item / tiles, end = least((piece + 1) * chunk, rows);
    State total[N] = {};
    if (column < columns)
      for (i64 row = piece * chunk + y; row < end; row += HELD<S> * down)
        take(Place{row, end, down, column, columns - column, packs && columns % N == 0}, total);
    for (int k = 0; k < N; k += SOME) {
      __syncthreads();  // the states before have been read
      for (int j = 0; j < SOME; ++j) room[j] = total[k + j];
      for (i64 half = down / 2; half > 0; half /= 2) {
        __syncthreads();
        if (y < half)
          for (int j = 0; j < SOME; ++j) room[j] = merge(room[j], room[half * lanes * SOME + j]);
      }
      if (y == 0)
        for (int j = 0; j < SOME; ++j)
          if (column + k + j < columns) partial[piece * columns + column + k + j] = room[j];
    }
  }
}

// A `take` of M sums for each of N columns: add(row, held) adds one row's terms.
template <class S, class T, int M, class Add>
__device__ inline void take_sums(const Place &at, Sums<T, M> *total, Add add) {
  constexpr int N = Pack<S>::SIZE;
  Sums<T, M> held[N] = {};
#pragma unroll
  for (int k = 0; k < HELD<S>; ++k)
    if (at.first + k * at.step < at.end) add(at.first + k * at.step, held);
  for (int j = 0; j < N; ++j) total[j] = merge(total[j], held[j]);
}

template <class State>
__device__ inline State column_total(const State *partial, i64 chunks, i64 columns, i64 column) {
  State total = {};
  for (i64 piece = 0; piece < chunks; ++piece) total = merge(total, partial[piece * columns + column]);
  return total;
}

}  // namespace tg
