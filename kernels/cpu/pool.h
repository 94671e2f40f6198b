// The thread pool as kernels see it: a fixed grid of tiles, run by whichever threads are free.
// A tile's number decides what it computes and a thread's number nothing, so results do not depend on the thread count.
#pragma once
#include "../include/base.h"

#define TG_PUBLIC __attribute__((visibility("default")))

extern "C" {
typedef void (*tg_tile)(const void *context, tg::i64 tile);
void tg_pool_tiles(tg::i64 count, tg_tile run, const void *context);

// The BLAS of NumPy's wheel (CBLAS with 64-bit integers), found by Python; null where it has none.
typedef void (*tg_sgemm)(int, int, int, tg::i64, tg::i64, tg::i64, float, const float *, tg::i64, const float *, tg::i64,
                         float, float *, tg::i64);
typedef void (*tg_dgemm)(int, int, int, tg::i64, tg::i64, tg::i64, double, const double *, tg::i64, const double *,
                         tg::i64, double, double *, tg::i64);
void tg_blas_enter(void);  // one thread inside the BLAS until the matching leave; nests, across threads too
void tg_blas_leave(void);
}

// out (m, n) = a (m, k) times b (k, n) plus beta times out, by the BLAS, in the thread that calls.
template <class T>
struct BlasProduct {
  bool transpose_a, transpose_b;
  tg::i64 m, n, k;
  const T *a;
  tg::i64 lda;
  const T *b;
  tg::i64 ldb;
  T beta;
  T *out;
  tg::i64 ldout;
};
void blas_gemm(const BlasProduct<float> &product);
void blas_gemm(const BlasProduct<double> &product);

namespace {

// Runs f(0), ..., f(count - 1) over the pool, in no particular order.
template <class F>
inline void parallel(tg::i64 count, const F &f) {
  tg_pool_tiles(count, [](const void *context, tg::i64 tile) { (*static_cast<const F *>(context))(tile); }, &f);
}

inline tg::i64 ceil_div(tg::i64 a, tg::i64 b) { return (a + b - 1) / b; }

// Runs f(begin, end) over the consecutive pieces of 0..n, each `piece` long but the last.
template <class F>
inline void parallel_pieces(tg::i64 n, tg::i64 piece, const F &f) {
  parallel(ceil_div(n, piece), [&](tg::i64 tile) {
    tg::i64 begin = tile * piece, end = begin + piece;
    f(begin, end < n ? end : n);
  });
}

}  // namespace
