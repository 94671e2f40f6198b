// Products that read both operands where they lie, for sizes at which a BLAS spends a tenth to a third of its time on copying
// them. 24 sums are under way at once, in 24 of AVX-512's 32 registers; without AVX-512 the BLAS is faster.
//
//   a b^T  each element the product of two rows: a sum in each lane over k, then over the lanes in pairs
//   a b, a^T b  a row of the result in 4 registers: elements of a, one after another over k, times rows of b
//
// An element's bits do not depend on the tile that it lies in. Results overwrite what was there.
#pragma once
#include "kernel.h"

#if defined(__AVX512F__) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TG_DIRECT
#include <immintrin.h>

#include <utility>
#endif
#endif

namespace {

constexpr i64 DIRECT_ROWS = 6, DIRECT_COLUMNS = 4;  // of a block; a tile has as many at least

#if defined(TG_DIRECT)
constexpr bool HAVE_DIRECT = true;

typedef float Floats __attribute__((vector_size(64)));
typedef double Doubles __attribute__((vector_size(64)));
TG_INLINE Floats multiply_add(Floats a, Floats b, Floats c) { return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
TG_INLINE Doubles multiply_add(Doubles a, Doubles b, Doubles c) {
  return (Doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
TG_INLINE Floats spread(float x) { return (Floats)_mm512_set1_ps(x); }
TG_INLINE Doubles spread(double x) { return (Doubles)_mm512_set1_pd(x); }
TG_INLINE Floats load(const float *x) { return (Floats)_mm512_loadu_ps(x); }
TG_INLINE Doubles load(const double *x) { return (Doubles)_mm512_loadu_pd(x); }
TG_INLINE Floats load(const float *x, i64 n) { return (Floats)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x); }
TG_INLINE Doubles load(const double *x, i64 n) { return (Doubles)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), x); }
TG_INLINE void store(float *to, Floats x, i64 n) { _mm512_mask_storeu_ps(to, (__mmask16)((1u << n) - 1), (__m512)x); }
TG_INLINE void store(double *to, Doubles x, i64 n) { _mm512_mask_storeu_pd(to, (__mmask8)((1u << n) - 1), (__m512d)x); }

template <class T>
constexpr int LANES = 64 / sizeof(T);

// In lane l: the sum of lanes l and l ^ D, of y where l has the bit D, else of x.
template <int D, class V, int... L>
TG_INLINE V paired(V x, V y, std::integer_sequence<int, L...>) {
  constexpr int N = sizeof...(L);
  return __builtin_shufflevector(x, y, (L & D ? L + N : L)...) +
         __builtin_shufflevector(x, y, ((L ^ D) + (L & D ? N : 0))...);
}

// Loops are unrolled by name: else the sums are stored in every turn.
template <class T>
inline void rows_by_rows_block(const BlasProduct<T> &p, const T *a, const T *b, T *out) {
  typedef decltype(load(a)) V;
  constexpr std::make_integer_sequence<int, LANES<T>> lanes;
  const i64 part = p.k % LANES<T>;
  V sums[DIRECT_ROWS][DIRECT_COLUMNS] = {};
  const auto add = [&](i64 at, const auto &load) TG_INLINED {
    V y[DIRECT_COLUMNS];
    TG_UNROLL for (int j = 0; j < DIRECT_COLUMNS; ++j) y[j] = load(b + j * p.ldb + at);
    TG_UNROLL for (int i = 0; i < DIRECT_ROWS; ++i) {
      const V x = load(a + i * p.lda + at);
      TG_UNROLL for (int j = 0; j < DIRECT_COLUMNS; ++j) sums[i][j] = multiply_add(x, y[j], sums[i][j]);
    }
  };
  if (part) add(0, [=](const T *x) TG_INLINED { return load(x, part); });
  for (i64 at = part; at < p.k; at += LANES<T>) add(at, [](const T *x) TG_INLINED { return load(x); });
  TG_UNROLL for (int i = 0; i < DIRECT_ROWS; ++i) {
    V four = paired<2>(paired<1>(sums[i][0], sums[i][1], lanes), paired<1>(sums[i][2], sums[i][3], lanes), lanes);
    four = paired<4>(four, four, lanes);
    if constexpr (LANES<T> > 8) four = paired<8>(four, four, lanes);
    store(out + i * p.ldout, four, DIRECT_COLUMNS);
  }
}

// `width` elements of six rows of the result, in W registers.
template <int W, class T>
inline void rows_of_b_block(const BlasProduct<T> &p, const T *a, const T *b, T *out, i64 width) {
  typedef decltype(load(a)) V;
  const i64 down = p.transpose_a ? 1 : p.lda, along = p.transpose_a ? p.lda : 1, last = width - (W - 1) * LANES<T>;
  V sums[DIRECT_ROWS][W] = {};
  for (i64 at = 0; at < p.k; ++at, a += along, b += p.ldb) {
    V y[W];
    TG_UNROLL for (int j = 0; j < W; ++j) y[j] = j < W - 1 ? load(b + j * LANES<T>) : load(b + j * LANES<T>, last);
    TG_UNROLL for (int i = 0; i < DIRECT_ROWS; ++i) {
      const V x = spread(a[i * down]);
      TG_UNROLL for (int j = 0; j < W; ++j) sums[i][j] = multiply_add(x, y[j], sums[i][j]);
    }
  }
  TG_UNROLL for (int i = 0; i < DIRECT_ROWS; ++i)
    TG_UNROLL for (int j = 0; j < W; ++j) store(out + i * p.ldout + j * LANES<T>, sums[i][j], j < W - 1 ? LANES<T> : last);
}

template <class T>
inline void rows_of_b(const BlasProduct<T> &p, const T *a, const T *b, T *out, i64 width) {
  switch ((width - 1) / LANES<T>) {
    case 0: return rows_of_b_block<1>(p, a, b, out, width);
    case 1: return rows_of_b_block<2>(p, a, b, out, width);
    case 2: return rows_of_b_block<3>(p, a, b, out, width);
    default: return rows_of_b_block<4>(p, a, b, out, width);
  }
}

// Where rows or columns are no multiple of a block's, the last ones are computed twice.
template <class T>
inline void direct_product(const BlasProduct<T> &p) {
  const auto row = [&](i64 i) { return i + DIRECT_ROWS < p.m ? i : p.m - DIRECT_ROWS; };
  if (p.transpose_b) {
    for (i64 i = 0; i < p.m; i += DIRECT_ROWS)
      for (i64 j = 0; j < p.n; j += DIRECT_COLUMNS) {
        const i64 column = j + DIRECT_COLUMNS < p.n ? j : p.n - DIRECT_COLUMNS;
        rows_by_rows_block(p, p.a + row(i) * p.lda, p.b + column * p.ldb, p.out + row(i) * p.ldout + column);
      }
    return;
  }
  for (i64 j = 0; j < p.n; j += 4 * LANES<T>)
    for (i64 i = 0; i < p.m; i += DIRECT_ROWS)
      rows_of_b(p, p.a + row(i) * (p.transpose_a ? 1 : p.lda), p.b + j, p.out + row(i) * p.ldout + j,
                p.n - j < 4 * LANES<T> ? p.n - j : 4 * LANES<T>);
}
#else
constexpr bool HAVE_DIRECT = false;

template <class T>
inline void direct_product(const BlasProduct<T> &) {}
#endif

}  // namespace
