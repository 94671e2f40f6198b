// What may follow an operation in the same pass (../include/tail.h), by a thread over four elements of a row-major
// (rows, columns) that lie PHILOX_W apart: they are one counter's, so that each random word that is drawn is used. Groups of
// PHILOX_W neighbouring threads read and write PHILOX_W neighbouring elements, at any alignment.
#pragma once
#include "dropout.h"
#include "grid.cuh"
#include "philox.h"
#include "tail.h"

namespace tg {

template <class T>
__device__ inline T tail_of(T y, i64 kind, T slope) {
  switch (kind) {
    case RELU: return tail<RELU>(y, slope);
    case LEAKY_RELU: return tail<LEAKY_RELU>(y, slope);
    case SIGMOID: return tail<SIGMOID>(y, slope);
    case TANH: return tail<TANH>(y, slope);
    default: return y;
  }
}

template <class T>
__device__ inline T tail_slope(T out, T grad, i64 kind, T slope, T scale) {
  switch (kind) {
    case RELU: return tail_backward<RELU>(out, grad, slope, scale);
    case LEAKY_RELU: return tail_backward<LEAKY_RELU>(out, grad, slope, scale);
    case SIGMOID: return tail_backward<SIGMOID>(out, grad, slope, scale);
    case TANH: return tail_backward<TANH>(out, grad, slope, scale);
    default: return grad;
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

// Runs f(counter, first element, columns of the four elements) for each counter of `count` elements. Columns are carried
// along: a division of 64-bit numbers takes longer than all the rest.
template <class F>
__device__ inline void each_four(i64 count, i64 columns, F f) {
  const i64 counters = ceil_div(count, 4 * PHILOX_W) * PHILOX_W, far = PHILOX_W % columns;
  i64 c = thread_number();
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

// out[i] = the tail of prepare(i, column)
template <class S, class T, class Prepare>
__device__ inline void finish(S *out, i64 count, i64 columns, const Tail<T> &t, Prepare prepare) {
  const bool masked = t.threshold >= 0;
  const u32 step = masked ? (u32)(*t.cell + t.offset) : 0u, last = (u32)(t.threshold - 1);
  each_four(count, columns, [=](i64 counter, i64 start, const i64 *column) {
    T value[4];
    u32 words[4];
    for (int lane = 0; lane < 4; ++lane) {
      const i64 i = start + lane * PHILOX_W;
      value[lane] = i < count ? prepare(i, column[lane]) : T(0);
    }
    if (masked) philox_counter(words, (u64)counter, step, (u32)t.stream, t.seed);
    for (int lane = 0; lane < 4; ++lane) {
      const i64 i = start + lane * PHILOX_W;
      T y = tail_of(value[lane], t.kind, t.slope);
      if (masked) y = t.threshold ? dropout(y, words[lane], last, t.scale) : T(0);
      if (i < count) out[i] = y;
    }
  });
}

}  // namespace tg
