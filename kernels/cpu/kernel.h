// What every kernel file needs: names for one instruction set's copy of a kernel, tile sizes, sums down columns.
// A kernel is `template <class T> void name(const NameArguments &)`, T = float and double; TG_KERNEL gives it its two C
// symbols, tg_<name>_<f32|f64>_<instruction set>. Arguments are structs of 8-byte members, packed by Python (struct "=q...").
#pragma once
#include "../include/base.h"
#include "pool.h"

#ifndef TG_ISA
#define TG_ISA baseline
#endif
#define TG_INLINED __attribute__((always_inline))  // of a lambda or function whose constants the compiler must see
#define TG_INLINE TG_INLINED inline
#define TG_JOIN3(a, b, c) a##b##c
#define TG_JOIN(a, b, c) TG_JOIN3(a, b, c)
#define TG_ENTRY(name, suffix, call, Arguments)                                                                      \
  extern "C" __attribute__((visibility("default"))) void TG_JOIN(tg_##name, suffix, TG_ISA)(const void *arguments) { \
    call(*static_cast<const Arguments *>(arguments));                                                                \
  }
#define TG_KERNEL(name, Arguments)                  \
  TG_ENTRY(name, _f32_, name<float>, Arguments)     \
  TG_ENTRY(name, _f64_, name<double>, Arguments)

namespace {

using namespace tg;

constexpr i64 PIECE = 8192;   // elements of an elementwise tile
constexpr i64 COLUMNS = 64;   // of a tile of columns: with a few hundred rows of float32 it fits the second cache
constexpr i64 ROWS = 64;      // of a partial sum down a column: the error grows as rows / ROWS

// total[k][c] = sums over the rows from `row` to `end`, c < width <= COLUMNS, of K terms that terms(r, c, term) gives. The order
// is fixed, so vector width does not matter.
template <class T, int K, class Terms>
TG_INLINE void sum_columns(T (&total)[K][COLUMNS], i64 row, i64 end, i64 width, const Terms &terms) {
  for (int k = 0; k < K; ++k)
    for (i64 c = 0; c < width; ++c) total[k][c] = T(0);
  for (i64 next; row < end; row = next) {
    T part[K][COLUMNS] = {};
    next = row + ROWS < end ? row + ROWS : end;
    for (i64 r = row; r < next; ++r)
      for (i64 c = 0; c < width; ++c) {
        T term[K];
        terms(r, c, term);
        for (int k = 0; k < K; ++k) part[k][c] += term[k];
      }
    for (int k = 0; k < K; ++k)
      for (i64 c = 0; c < width; ++c) total[k][c] += part[k][c];
  }
}

// f over term(0..n) from `start`, in an order that depends on n alone: one by one where n is small, else as 16 partial
// results, which vectorise, and a tree of these.
template <class T, class Term, class F>
inline T fold(i64 n, T start, const Term &term, const F &f) {
  constexpr i64 PARTS = 16;
  if (n < 2 * PARTS) {
    for (i64 i = 0; i < n; ++i) start = f(start, term(i));
    return start;
  }
  T part[PARTS];
  for (i64 j = 0; j < PARTS; ++j) part[j] = start;
  i64 i = 0;
  for (; i + PARTS <= n; i += PARTS)
    for (i64 j = 0; j < PARTS; ++j) part[j] = f(part[j], term(i + j));
  for (i64 j = 0; i + j < n; ++j) part[j] = f(part[j], term(i + j));
  for (i64 width = PARTS / 2; width > 0; width /= 2)
    for (i64 j = 0; j < width; ++j) part[j] = f(part[j], part[j + width]);
  return part[0];
}

template <class T, class Term>
inline T sum(i64 n, const Term &term) {
  return fold(n, T(0), term, [](T a, T b) { return a + b; });
}

// Runs f(first column, width) over tiles of columns, with the full width a constant that the compiler sees.
template <class F>
inline void parallel_columns(i64 columns, const F &f) {
  parallel_pieces(columns, COLUMNS, [&](i64 begin, i64 end) {
    if (end - begin == COLUMNS)
      f(begin, COLUMNS);
    else
      f(begin, end - begin);
  });
}

// f(row, width) for the rows of a tile, the full width as a constant.
template <class F>
TG_INLINE void each_row(i64 row, i64 end, i64 width, const F &f) {
  if (width == COLUMNS)
    for (; row < end; ++row) f(row, COLUMNS);
  else
    for (; row < end; ++row) f(row, width);
}

// Rows that are split into pieces, where columns alone are too few to share out; `partial` holds each piece's sums, and is
// null where one piece has all rows. Python chooses by the shape.
struct Split {
  void *partial;
  i64 rows, columns, piece;
};

// Runs f(first row, end, first column, width) over tiles of pieces.
template <class F>
inline void parallel_tiles(const Split &s, const F &f) {
  parallel(ceil_div(s.rows, s.piece) * ceil_div(s.columns, COLUMNS), [&](i64 tile) {
    const i64 across = ceil_div(s.columns, COLUMNS), row = tile / across * s.piece, begin = tile % across * COLUMNS;
    const i64 end = row + s.piece < s.rows ? row + s.piece : s.rows;
    if (s.columns - begin >= COLUMNS)
      f(row, end, begin, COLUMNS);
    else
      f(row, end, begin, s.columns - begin);
  });
}

// Sums down the columns: sums(total, row, end, begin, width) of each tile, then done(total, begin, width) of each column's.
template <class T, int K, class Sums, class Done>
inline void column_totals(const Split &s, const Sums &sums, const Done &done) {
  if (!s.partial)
    return parallel_columns(s.columns, [&](i64 begin, i64 width) TG_INLINED {
      T total[K][COLUMNS];
      sums(total, i64(0), s.rows, begin, width);
      done(total, begin, width);
    });
  T *partial = static_cast<T *>(s.partial);
  parallel_tiles(s, [&](i64 row, i64 end, i64 begin, i64 width) TG_INLINED {
    T total[K][COLUMNS];
    sums(total, row, end, begin, width);
    for (int k = 0; k < K; ++k)
      for (i64 c = 0; c < width; ++c) partial[(row / s.piece * K + k) * s.columns + begin + c] = total[k][c];
  });
  parallel_columns(s.columns, [&](i64 begin, i64 width) TG_INLINED {
    T total[K][COLUMNS];
    sum_columns(total, 0, ceil_div(s.rows, s.piece), width, [&](i64 p, i64 c, T(&term)[K]) {
      for (int k = 0; k < K; ++k) term[k] = partial[(p * K + k) * s.columns + begin + c];
    });
    done(total, begin, width);
  });
}

// The results of a tile's columns, written to an array that may be null, or added to what is there.
template <class T>
inline void add_or_save(void *to, const T *from, i64 begin, i64 width, i64 accumulate) {
  if (!to) return;
  T *out = static_cast<T *>(to) + begin;
  for (i64 c = 0; c < width; ++c) out[c] = accumulate ? out[c] + from[c] : from[c];
}

}  // namespace
