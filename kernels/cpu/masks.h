// Runs over random words, and dropout with them: whole blocks of 4*W words fill a small buffer; the mask is made there and
// never stored.
#pragma once
#include "../include/dropout.h"
#include "kernel.h"
#include "lanes.h"

namespace {

constexpr i64 BLOCK = 4 * PHILOX_W;
constexpr int AT_ONCE = 4;  // blocks whose rounds run side by side: dropout of 128 x 512 takes 11 microseconds, with 2 of them 13, AVX2 28 and 31

struct Words {
  Keys keys;
  u32 step, stream;
  u64 first;  // the block that elements count from
  alignas(64) u32 buffer[AT_ONCE * BLOCK];

  Words(u64 seed, i64 stream, i64 step, u64 first) : keys(seed), step((u32)step), stream((u32)stream), first(first) {}

  // Fills the buffer with the words of the N blocks that begin at elements at(0), at(1), ...
  template <int N, class At>
  TG_INLINE void draw(const At &at) {
    u64 blocks[N];
    for (int i = 0; i < N; ++i) blocks[i] = first + (u64)(at(i) / BLOCK);
    philox_blocks<PHILOX_W, N>(buffer, blocks, step, stream, keys);
  }
};

// Runs f(words, element, BLOCK) over the `count` blocks that begin at elements at(0), at(1), ...
template <class At, class F>
TG_INLINE void whole_blocks(Words &words, i64 count, const At &at, const F &f) {
  i64 k = 0;
  for (; k + AT_ONCE <= count; k += AT_ONCE) {
    words.template draw<AT_ONCE>([&](i64 i) { return at(k + i); });
    for (i64 i = 0; i < AT_ONCE; ++i) f(words.buffer + i * BLOCK, at(k + i), BLOCK);
  }
  for (; k < count; ++k) {
    words.template draw<1>([&](i64) { return at(k); });
    f(words.buffer, at(k), BLOCK);
  }
}

// Runs f(words, element, count) over consecutive elements begin..end, `words` being those of `element` and its successors.
template <class F>
inline void each_block(Words &words, i64 begin, i64 end, const F &f) {
  const i64 skip = begin % BLOCK;
  if (skip) {
    const i64 count = BLOCK - skip < end - begin ? BLOCK - skip : end - begin;
    words.template draw<1>([=](i64) { return begin - skip; });
    f(words.buffer + skip, begin, count);
    begin += count;
  }
  const i64 whole = (end - begin) / BLOCK, rest = begin + whole * BLOCK;
  whole_blocks(words, whole, [=](i64 k) { return begin + k * BLOCK; }, f);
  if (rest == end) return;
  words.template draw<1>([=](i64) { return rest; });
  f(words.buffer, rest, end - rest);
}

// What a mask is a function of; a threshold below 0 stands for no mask.
struct Mask {
  i64 offset;
  u64 seed;
  i64 stream, threshold;
  double scale;
};

// Bytes that another array is fetched ahead: while words are drawn nothing is read, and the processor's own fetching stops
// (8 million elements on one thread: 0.20 ns an element instead of 0.80).
constexpr i64 AHEAD = 2048;

// Runs draw(words, keep) with keep(words, element, count), which drops elements of out = x, or of another array.
template <class T, class F>
inline void with_mask(T *out, const T *x, const Mask &m, i64 step, const F &draw) {
  const u32 last = (u32)(m.threshold - 1);
  const T scale = (T)m.scale;
  Words words(m.seed, m.stream, step, 0);
  draw(words, [=](const u32 *word, i64 element, i64 count) TG_INLINED {
    if (x != out)
      for (i64 line = 0; line < BLOCK * (i64)sizeof(T); line += 64)
        __builtin_prefetch(reinterpret_cast<const char *>(x + element) + AHEAD + line);
    for (i64 i = 0; i < count; ++i) out[element + i] = tg::dropout(x[element + i], word[i], last, scale);
  });
}

// out[begin..end) = dropout of x[begin..end), which may be the same array.
template <class T>
inline void drop(T *out, const T *x, i64 begin, i64 end, const Mask &m, i64 step) {
  if (m.threshold > 0)
    return with_mask(out, x, m, step, [=](Words &words, const auto &keep) { each_block(words, begin, end, keep); });
  for (i64 i = begin; i < end; ++i) out[i] = T(0);
}

// The same in place for a tile of an array of `columns` a row, all of whose widths are multiples of BLOCK.
template <class T>
inline void drop_tile(T *out, i64 columns, i64 row, i64 rows, i64 column, i64 width, const Mask &m, i64 step) {
  const i64 across = width / BLOCK;
  auto at = [=](i64 k) { return (row + k / across) * columns + column + k % across * BLOCK; };
  if (m.threshold > 0)
    return with_mask(out, out, m, step, [=](Words &words, const auto &keep) { whole_blocks(words, rows * across, at, keep); });
  for (i64 k = 0; k < rows * across; ++k)
    for (i64 i = at(k); i < at(k) + BLOCK; ++i) out[i] = T(0);
}

}  // namespace
