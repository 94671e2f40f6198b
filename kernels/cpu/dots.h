// out (m, n) = a (m, k) b (n, k)^T: each element the product of two rows, read where they lie. A BLAS copies both operands and
// turns b meanwhile, which takes it a fifth of the time at a batch of 100 or 200.
//
// Each sum runs in LANES parts over k, which are added in pairs: the same bits whatever the tile. 24 sums are under way at
// once, in 24 of the 32 registers that AVX-512 has; without it the BLAS is faster.
#pragma once
#include "kernel.h"

#if defined(__AVX512F__) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TG_DOTS
#include <immintrin.h>

#include <utility>
#endif
#endif

namespace {

constexpr i64 DOT_ROWS = 6, DOT_COLUMNS = 4;

#if defined(TG_DOTS)
constexpr bool HAVE_DOTS = true;

typedef float Floats __attribute__((vector_size(64)));
typedef double Doubles __attribute__((vector_size(64)));
TG_INLINE Floats multiply_add(Floats a, Floats b, Floats c) { return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
TG_INLINE Doubles multiply_add(Doubles a, Doubles b, Doubles c) {
  return (Doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
TG_INLINE Floats all(const float *x) { return (Floats)_mm512_loadu_ps(x); }
TG_INLINE Doubles all(const double *x) { return (Doubles)_mm512_loadu_pd(x); }
TG_INLINE Floats first(i64 n, const float *x) { return (Floats)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x); }
TG_INLINE Doubles first(i64 n, const double *x) { return (Doubles)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), x); }

// In lane l: the sum of lanes l and l ^ D, of y where l has the bit D, else of x.
template <int D, class V, int... L>
TG_INLINE V paired(V x, V y, std::integer_sequence<int, L...>) {
  constexpr int LANES = sizeof...(L);
  return __builtin_shufflevector(x, y, (L & D ? L + LANES : L)...) +
         __builtin_shufflevector(x, y, ((L ^ D) + (L & D ? LANES : 0))...);
}

template <class T>
inline void dot_block(const T *a, i64 lda, const T *b, i64 ldb, i64 k, T *out, i64 ldout) {
  typedef decltype(all(a)) V;
  constexpr int LANES = sizeof(V) / sizeof(T);
  constexpr std::make_integer_sequence<int, LANES> lanes;
  const i64 part = k % LANES;
  V sums[DOT_ROWS][DOT_COLUMNS] = {};
  const auto add = [&](i64 p, const auto &load) TG_INLINED {
    V y[DOT_COLUMNS];
    for (int j = 0; j < DOT_COLUMNS; ++j) y[j] = load(b + j * ldb + p);
    for (int i = 0; i < DOT_ROWS; ++i) {
      const V x = load(a + i * lda + p);
      for (int j = 0; j < DOT_COLUMNS; ++j) sums[i][j] = multiply_add(x, y[j], sums[i][j]);
    }
  };
  if (part) add(0, [=](const T *x) TG_INLINED { return first(part, x); });
  for (i64 p = part; p < k; p += LANES) add(p, [](const T *x) TG_INLINED { return all(x); });
  for (int i = 0; i < DOT_ROWS; ++i) {
    V four = paired<2>(paired<1>(sums[i][0], sums[i][1], lanes), paired<1>(sums[i][2], sums[i][3], lanes), lanes);
    four = paired<4>(four, four, lanes);
    if constexpr (LANES > 8) four = paired<8>(four, four, lanes);
    __builtin_memcpy(out + i * ldout, &four, DOT_COLUMNS * sizeof(T));
  }
}

// At least DOT_ROWS x DOT_COLUMNS; where they are no multiple, the last ones are computed twice.
template <class T>
inline void dots(const BlasProduct<T> &p) {
  for (i64 i = 0; i < p.m; i += DOT_ROWS) {
    const i64 row = i + DOT_ROWS < p.m ? i : p.m - DOT_ROWS;
    for (i64 j = 0; j < p.n; j += DOT_COLUMNS) {
      const i64 column = j + DOT_COLUMNS < p.n ? j : p.n - DOT_COLUMNS;
      dot_block(p.a + row * p.lda, p.lda, p.b + column * p.ldb, p.ldb, p.k, p.out + row * p.ldout + column, p.ldout);
    }
  }
}
#else
constexpr bool HAVE_DOTS = false;

template <class T>
inline void dots(const BlasProduct<T> &) {}
#endif

}  // namespace
