// How CUDA kernels walk arrays: 64-bit indices, any number of blocks, and a result that does not depend on that number.
#pragma once
#include "bfloat16.h"

namespace tg {

constexpr int THREADS = 256;   // of a block; the launcher uses the same number
constexpr int WARP = 32;
constexpr i64 TILE = 1024;     // elements that a block takes at a time

__device__ inline i64 thread_number() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline i64 thread_count() { return (i64)gridDim.x * blockDim.x; }

// Neighbouring elements that one thread reads and writes at once: 16 bytes.
template <class T>
struct alignas(16) Pack {
  static constexpr int SIZE = 16 / sizeof(T);
  T item[SIZE];
};

// Pack number i of an array that starts at a multiple of 16. Two-byte values travel as four words: vector loads and stores
// have at most four parts.
struct alignas(16) Words {
  u32 word[4];
};

template <class S>
__device__ inline Pack<S> load_pack(const S *from, i64 i) {
  if constexpr (sizeof(S) != 2) {
    return ((const Pack<S> *)from)[i];
  } else {
    const Words words = ((const Words *)from)[i];
    Pack<S> pack;
    for (int k = 0; k < Pack<S>::SIZE; ++k) pack.item[k].bits = (unsigned short)(words.word[k / 2] >> (16 * (k % 2)));
    return pack;
  }
}

template <class S>
__device__ inline void store_pack(S *to, i64 i, const Pack<S> &pack) {
  if constexpr (sizeof(S) != 2) {
    ((Pack<S> *)to)[i] = pack;
  } else {
    Words words;
    for (int k = 0; k < 4; ++k) words.word[k] = pack.item[2 * k].bits | (u32)pack.item[2 * k + 1].bits << 16;
    ((Words *)to)[i] = words;
  }
}

template <class T>
__device__ inline bool aligned(const T *pointer) {
  return ((u64)pointer & 15) == 0;
}

__device__ inline i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }
__device__ inline i64 least(i64 a, i64 b) { return a < b ? a : b; }

// Writes a result, or adds it to what is there.
template <class S, class T>
__device__ inline void put(S *to, T value, bool adds) {
  *to = adds ? T(*to) + value : value;
}

// N neighbouring values as they are computed with: of S stored those that are 16 bytes, and as many of what lies beside them.
template <class T, int N>
struct Values {
  T item[N];
};

// x[i], x[i + 1], ..., N of them, or the first `left` and then 0; in `packs` their address is a multiple of 16.
template <class T, int N, class S>
__device__ inline Values<T, N> read(const S *x, i64 i, bool packs = true, i64 left = N) {
  Values<T, N> v = {};
  if constexpr (N == 1) {
    v.item[0] = T(x[i]);
  } else if (packs && left >= N) {
    for (int p = 0; p < N / Pack<S>::SIZE; ++p) {
      const Pack<S> pack = load_pack(x + i, p);
      for (int k = 0; k < Pack<S>::SIZE; ++k) v.item[p * Pack<S>::SIZE + k] = T(pack.item[k]);
    }
  } else {
    for (int k = 0; k < N; ++k)
      if (k < left) v.item[k] = T(x[i + k]);
  }
  return v;
}

// Writes such values, or adds them to what is there.
template <int N, class S, class T>
__device__ inline void write(S *to, i64 i, const Values<T, N> &v, bool adds, bool packs = true, i64 left = N) {
  if constexpr (N == 1) {
    put(to + i, v.item[0], adds);
  } else if (packs && left >= N) {
    for (int p = 0; p < N / Pack<S>::SIZE; ++p) {
      Pack<S> pack = {};
      if (adds) pack = load_pack(to + i, p);
      for (int k = 0; k < Pack<S>::SIZE; ++k) put(&pack.item[k], v.item[p * Pack<S>::SIZE + k], adds);
      store_pack(to + i, p, pack);
    }
  } else {
    for (int k = 0; k < N; ++k)
      if (k < left) put(to + i + k, v.item[k], adds);
  }
}

// The copies of a kernel, NAME_float32, NAME_float64 and NAME_bfloat16. In `parameters` and `call` S stands for the type in
// which activations and their gradients are stored, T for that of arithmetic, parameters and statistics: T(s) is exact, and
// what is written to an S is rounded once.
#define TG_GLOBAL(name, parameters, call)                                                        \
  namespace of_float32 {                                                                         \
  typedef float T;                                                                               \
  typedef T S;                                                                                   \
  extern "C" __global__ void __launch_bounds__(tg::THREADS, 2) name##_float32 parameters { call; }  \
  }                                                                                              \
  namespace of_float64 {                                                                         \
  typedef double T;                                                                              \
  typedef T S;                                                                                   \
  extern "C" __global__ void __launch_bounds__(tg::THREADS, 2) name##_float64 parameters { call; }  \
  }                                                                                              \
  namespace of_bfloat16 {                                                                        \
  typedef float T;                                                                               \
  typedef tg::bfloat16 S;                                                                        \
  extern "C" __global__ void __launch_bounds__(tg::THREADS, 2) name##_bfloat16 parameters { call; } \
  }

struct Segment {
  i64 offset, length;
};

// A row of a segment table, as far as it lies in an array of `count` elements: a table on the GPU is not checked on the host.
__device__ inline Segment segment_in(const i64 *segments, i64 row, i64 count) {
  i64 offset = segments[2 * row], length = segments[2 * row + 1];
  if (offset < 0 || offset > count || length < 0) return {0, 0};
  return {offset, length < count - offset ? length : count - offset};
}

// Tiles have 32-bit numbers: 2^42 elements.
__device__ inline u32 tiles_of(const Segment &part) { return (u32)ceil_div(part.length, TILE); }

// The tiles of WARP rows from `row` together: each lane of a warp looks at one.
__device__ inline u32 tiles_of_warp(const i64 *segments, u32 row, u32 rows, i64 count) {
  const u32 mine = row + threadIdx.x % WARP;
  u32 tiles = mine < rows ? tiles_of(segment_in(segments, mine, count)) : 0;
  for (int distance = WARP / 2; distance > 0; distance /= 2) tiles += __shfl_xor_sync(0xffffffffu, tiles, distance);
  return tiles;
}

// Walks the rows (offset, length) of a segment table, tile by tile. Tiles are numbered through all segments and dealt to
// the blocks in turn, so that one launch serves many short segments and one long one alike, with no table made on the host.
// prepare(row) gives what runs on each tile of that row: update(first, count), called by every thread of the block. Rows that
// end before the block's next tile are passed WARP at a time: each by itself takes as long as a load.
template <class Prepare>
__device__ inline void each_tile(const i64 *segments, u32 rows, i64 count, Prepare prepare) {
  u32 tile = blockIdx.x, before = 0;
  for (u32 row = 0; row < rows; ++row) {
    if (row % WARP == 0 && rows > WARP) {
      const u32 beyond = before + tiles_of_warp(segments, row, rows, count);
      if (tile >= beyond) {
        before = beyond;
        row += WARP - 1;
        continue;
      }
    }
    const Segment part = segment_in(segments, row, count);
    const u32 after = before + tiles_of(part);
    if (tile < after) {
      auto update = prepare(row);
      for (; tile < after; tile += gridDim.x) {
        const i64 done = (tile - before) * TILE;
        update(part.offset + done, (int)least(part.length - done, TILE));
      }
    }
    before = after;
  }
}

}  // namespace tg
