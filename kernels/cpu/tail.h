// The passes that an operation's tail (../include/tail.h) shares with it: over rows of the result that lie in the first cache.
#pragma once
#include "../include/tail.h"
#include "masks.h"

namespace {

struct Tail {
  i64 kind;
  double slope;
  Mask mask;
};

template <int N>
struct Kind {
  static constexpr int value = N;
};

// f(Kind<kind>()): the kind as a constant.
template <class F>
TG_INLINE void by_kind(i64 kind, const F &f) {
  switch (kind) {
    case RELU: return f(Kind<RELU>());
    case LEAKY_RELU: return f(Kind<LEAKY_RELU>());
    case SIGMOID: return f(Kind<SIGMOID>());
    case TANH: return f(Kind<TANH>());
    default: return f(Kind<NOTHING>());
  }
}

// The tail of a tile of out (columns a row), in place. No part of its callers: they come for each width and kind of sum.
template <class T>
__attribute__((noinline)) void finish(T *out, i64 columns, i64 row, i64 rows, i64 column, i64 width, const Tail &t, i64 step) {
  const T slope = (T)t.slope;
  if (t.kind != NOTHING)
    by_kind(t.kind, [&](auto kind) TG_INLINED {
      each_row(row, row + rows, width, [&](i64 r, i64 w) TG_INLINED {
        T *to = out + r * columns + column;
        for (i64 c = 0; c < w; ++c) to[c] = tg::tail<decltype(kind)::value>(to[c], slope);
      });
    });
  if (t.mask.threshold < 0) return;
  if (width == columns)
    drop(out, out, row * columns, (row + rows) * columns, t.mask, step);
  else
    drop_tile(out, columns, row, rows, column, width, t.mask, step);
}

// Elements that are prepared before their tail: they stay in the first cache; of a tile fewer, for its rows lie apart, at
// 2048 columns all in the same places of the cache (batch norm of 512 x 2048: 293 microseconds instead of 550 with 2048).
constexpr i64 FINISHED = 2048, FINISHED_APART = 512;

// A tile of out: prepare(row) for some rows, then their tail.
template <class T, class F>
TG_INLINE void finish_rows(T *out, i64 columns, i64 row, i64 rows, i64 column, i64 width, const Tail &t, i64 step,
                           const F &prepare) {
  const bool follows = t.kind != NOTHING || t.mask.threshold >= 0;
  const i64 most = width == columns ? FINISHED : FINISHED_APART, last = row + rows;
  const i64 some = !follows ? rows : width < most ? most / width : 1;
  for (i64 end; row < last; row = end) {
    end = row + some < last ? row + some : last;
    for (i64 r = row; r < end; ++r) prepare(r);
    if (follows) finish(out, columns, row, end - row, column, width, t, step);
  }
}

// The tail as a tile can do it: where rows are cut at no multiple of a block, words would be drawn twice, and the mask is
// left for `drop_later`.
inline Tail in_tile(const Tail &t, i64 columns, i64 tile_columns) {
  Tail here = t;
  if (columns > tile_columns && columns % BLOCK != 0) here.mask.threshold = -1;
  return here;
}

template <class T>
inline void drop_later(T *out, i64 count, const Tail &t, const Tail &here, i64 step) {
  if (t.mask.threshold == here.mask.threshold) return;
  parallel_pieces(count, PIECE, [&](i64 begin, i64 end) { drop(out, out, begin, end, t.mask, step); });
}

}  // namespace
