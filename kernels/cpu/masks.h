// Runs over random words, and dropout with them: whole blocks of 4*W words fill a small buffer; the mask is made there and
// never stored.
#pragma once
#include "../include/dropout.h"
#include "kernel.h"
#include "lanes.h"

namespace {

constexpr i64 BLOCK = 4 * PHILOX_W;

// Runs f(words, element, count) over consecutive elements begin..end, `words` being those of `element` and its successors;
// elements count from the start of block `first`.
template <class F>
inline void each_block(i64 begin, i64 end, u64 first, u64 seed, i64 stream, i64 step, const F &f) {
  alignas(64) u32 words[BLOCK];
  for (i64 element = begin; element < end;) {
    i64 skip = element % BLOCK, count = BLOCK - skip < end - element ? BLOCK - skip : end - element;
    philox_block<PHILOX_W>(words, first + (u64)(element / BLOCK), (u32)step, (u32)stream, seed);
    if (count == BLOCK)
      f(words, element, BLOCK);
    else
      f(words + skip, element, count);
    element += count;
  }
}

// What a mask is a function of; a threshold below 0 stands for no mask.
struct Mask {
  i64 offset;
  u64 seed;
  i64 stream, threshold;
  double scale;
};

// out[begin..end) = dropout of x[begin..end), which may be the same array; step: *cell + offset.
template <class T>
inline void drop(T *out, const T *x, i64 begin, i64 end, const Mask &m, i64 step) {
  if (m.threshold == 0) {
    for (i64 i = begin; i < end; ++i) out[i] = T(0);
    return;
  }
  const u32 last = (u32)(m.threshold - 1);
  const T scale = (T)m.scale;
  each_block(begin, end, 0, m.seed, m.stream, step, [&](const u32 *words, i64 element, i64 count) {
    for (i64 i = 0; i < count; ++i) out[element + i] = tg::dropout(x[element + i], words[i], last, scale);
  });
}

}  // namespace
