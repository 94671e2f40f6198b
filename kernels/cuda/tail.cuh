// What may follow an operation in the same pass (../include/tail.h), over a row-major (rows, columns): by a thread over 16
// bytes at once; where addresses or rows do not allow that, and at the end, over four elements that lie PHILOX_W apart, which
// are one counter's. Either way each random word that is drawn is used, and both give the same words.
#pragma once
#include "dropout.h"
#include "grid.cuh"
#include "philox.h"
#include "tail.h"

namespace tg {

template <int KIND, class T, int N>
__device__ inline void apply(Values<T, N> &v, T slope) {
  for (int k = 0; k < N; ++k) v.item[k] = tail<KIND>(v.item[k], slope);
}

template <class T, int N>
__device__ inline void apply(Values<T, N> &v, i64 kind, T slope) {
  switch (kind) {
    case RELU: apply<RELU>(v, slope); break;
    case LEAKY_RELU: apply<LEAKY_RELU>(v, slope); break;
    case SIGMOID: apply<SIGMOID>(v, slope); break;
    case TANH: apply<TANH>(v, slope); break;
  }
}

template <int KIND, class T, int N>
__device__ inline void slope_back(Values<T, N> &grad, const Values<T, N> &out, T slope, T scale) {
  for (int k = 0; k < N; ++k) grad.item[k] = tail_backward<KIND>(out.item[k], grad.item[k], slope, scale);
}

template <class T, int N>
__device__ inline void slope_back(Values<T, N> &grad, const Values<T, N> &out, i64 kind, T slope, T scale) {
  switch (kind) {
    case RELU: slope_back<RELU>(grad, out, slope, scale); break;
    case LEAKY_RELU: slope_back<LEAKY_RELU>(grad, out, slope, scale); break;
    case SIGMOID: slope_back<SIGMOID>(grad, out, slope, scale); break;
    case TANH: slope_back<TANH>(grad, out, slope, scale); break;
  }
}

// The step is *cell + offset; a threshold below 0 stands for no mask.
template <class T>
struct Tail {
  i64 kind;
  T slope;
  const i64 *cell;
  i64 offset;
  u64 seed;
  i64 stream, threshold;
  T scale;
};

#define TG_TAIL_PARAMETERS i64 kind, T slope, const i64 *cell, i64 offset, u64 seed, i64 stream, i64 threshold, T scale
#define TG_TAIL_ARGUMENTS Tail<T>{kind, slope, cell, offset, seed, stream, threshold, scale}

template <class T>
constexpr __device__ Tail<T> no_tail() {
  return {NOTHING, T(0), nullptr, 0, 0, 0, -1, T(1)};
}

// Runs f(unit, column of its first element) for `units` units of N neighbouring elements; N divides `columns`. Columns are
// carried along: a division of 64-bit numbers takes longer than all the rest.
template <int N, class F>
__device__ inline void each_unit(i64 units, i64 columns, F f) {
  i64 unit = thread_number();
  if (unit >= units) return;
  i64 column = unit * N % columns;
  const i64 turn = thread_count() * N % columns;
  for (; unit < units; unit += thread_count()) {
    f(unit, column);
    column += turn;
    if (column >= columns) column -= columns;
  }
}

// Runs f(counter, first element, columns of the four elements) for each counter of the elements from `first`, a multiple of
// 4 PHILOX_W, to `count`.
template <class F>
__device__ inline void each_four(i64 first, i64 count, i64 columns, F f) {
  const i64 counters = ceil_div(count, 4 * PHILOX_W) * PHILOX_W, far = PHILOX_W % columns;
  i64 c = first / 4 + thread_number();
  if (c >= counters) return;
  i64 start = c / PHILOX_W * (4 * PHILOX_W) + c % PHILOX_W, column = start % columns;
  const i64 stride = 4 * thread_count(), turn = stride % columns;
  for (; c < counters; c += thread_count(), start += stride) {
    i64 four[4] = {column};
    for (int lane = 1; lane < 4; ++lane) {
      four[lane] = four[lane - 1] + far;
      if (four[lane] >= columns) four[lane] -= columns;
    }
    f(c, start, four);
    column += turn;
    if (column >= columns) column -= columns;
  }
}

// The words of a unit of N neighbouring elements; the whole warp calls this with neighbouring units. Four of its threads, whose
// units lie PHILOX_W elements apart, need the same N counters: each makes a quarter of them, and the words change hands.
template <int N>
__device__ inline void unit_words(u32 *words, i64 unit, u32 step, u32 stream, u64 seed) {
  constexpr int APART = PHILOX_W / N;
  const int lane = (int)(unit / APART % 4);
  const bool odd = lane % 2, high = lane / 2;
  const i64 first = unit / (4 * APART) * PHILOX_W + unit % APART * N;
  for (int g = 0; g < N; g += 4) {
    u32 *own = words + g;
    philox_counter(own, (u64)(first + g + lane), step, stream, seed);
    for (int p = 0; p < 4; p += 2) {
      const u32 got = __shfl_xor_sync(0xffffffffu, odd ? own[p] : own[p + 1], APART);
      own[p] = odd ? got : own[p];
      own[p + 1] = odd ? own[p + 1] : got;
    }
    for (int p = 0; p < 2; ++p) {
      const u32 got = __shfl_xor_sync(0xffffffffu, high ? own[p] : own[p + 2], 2 * APART);
      own[p] = high ? got : own[p];
      own[p + 2] = high ? own[p + 2] : got;
    }
  }
}

// The elements of a unit: 16 bytes, but at least a counter's four.
template <class S>
constexpr int UNIT = Pack<S>::SIZE < 4 ? 4 : Pack<S>::SIZE;

// How many elements from the first are taken by whole warps in units, where these lie in rows and at multiples of 16 bytes.
template <class S>
__device__ inline i64 in_units(i64 count, i64 columns, bool packs) {
  return packs && columns % UNIT<S> == 0 ? count / (WARP * UNIT<S>) * (WARP * UNIT<S>) : 0;
}

// out[i] = the tail of source.at<N>(i, column)[0..N), added to out[i] where `adds`. source.in_packs(): whether its arrays lie
// at multiples of 16 bytes.
template <class S, class T, class Source>
__device__ inline void finish(S *out, i64 count, i64 columns, const Tail<T> &t, bool adds, const Source &source) {
  constexpr int N = UNIT<S>;
  const bool masked = t.threshold >= 0;
  const u32 step = masked ? (u32)(*t.cell + t.offset) : 0u, last = (u32)(t.threshold - 1);
  const i64 whole = in_units<S>(count, columns, aligned(out) && source.in_packs());
  each_unit<N>(whole / N, columns, [=](i64 unit, i64 column) {
    Values<T, N> v = source.template at<N>(unit * N, column);
    apply(v, t.kind, t.slope);
    if (masked) {
      u32 words[N];
      unit_words<N>(words, unit, step, (u32)t.stream, t.seed);
      for (int k = 0; k < N; ++k) v.item[k] = t.threshold ? dropout(v.item[k], words[k], last, t.scale) : T(0);
    }
    write<N>(out, unit * N, v, adds);
  });
  each_four(whole, count, columns, [=](i64 counter, i64 start, const i64 *column) {
    Values<T, 4> v = {};
    for (int lane = 0; lane < 4; ++lane)
      if (start + lane * PHILOX_W < count) v.item[lane] = source.template at<1>(start + lane * PHILOX_W, column[lane]).item[0];
    apply(v, t.kind, t.slope);
    if (masked) {
      u32 words[4];
      philox_counter(words, (u64)counter, step, (u32)t.stream, t.seed);
      for (int k = 0; k < 4; ++k) v.item[k] = t.threshold ? dropout(v.item[k], words[k], last, t.scale) : T(0);
    }
    for (int lane = 0; lane < 4; ++lane)
      if (start + lane * PHILOX_W < count) put(out + start + lane * PHILOX_W, v.item[lane], adds);
  });
}

}  // namespace tg
