// What every kernel file needs: names for one instruction set's copy of a kernel, tile sizes, sums down columns.
// A kernel is `template <class T> void name(const NameArguments &)`, T = float and double; TG_KERNEL gives it its two C
// symbols, tg_<name>_<f32|f64>_<instruction set>. Arguments are structs of 8-byte members, packed by Python (struct "=q...").
#pragma once
#include "../include/base.h"
#include "pool.h"

#ifndef TG_ISA
#define TG_ISA baseline
#endif
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

// total[c] = sum over rows of term(row, c), c < width <= COLUMNS. The order is fixed, so vector width does not matter.
template <class T, class Term>
__attribute__((always_inline)) inline void sum_columns(T *total, i64 rows, i64 width, const Term &term) {
  for (i64 c = 0; c < width; ++c) total[c] = T(0);
  for (i64 begin = 0; begin < rows; begin += ROWS) {
    T part[COLUMNS] = {};
    i64 end = begin + ROWS < rows ? begin + ROWS : rows;
    for (i64 r = begin; r < end; ++r)
      for (i64 c = 0; c < width; ++c) part[c] += term(r, c);
    for (i64 c = 0; c < width; ++c) total[c] += part[c];
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

// The results of a tile's columns, written to an array that may be null, or added to what is there.
template <class T>
inline void add_or_save(void *to, const T *from, i64 begin, i64 width, i64 accumulate) {
  if (!to) return;
  T *out = static_cast<T *>(to) + begin;
  for (i64 c = 0; c < width; ++c) out[c] = accumulate ? out[c] + from[c] : from[c];
}

}  // namespace
