// Matrix products, split into tiles over the BLAS's own gemm called on one thread, and the bias beside them.
//
//   out (M, N) <- op(a) (M, K) op(b) (K, N) + beta out, then + bias (N,) where given;   row-major, op transposes or not
//   column_sums: out (C,) <- sum over rows of x (R, C), added to out where `accumulate`
//
// The grid of tiles is a function of the shape alone: every product of a tile is the same call whatever the threads.
#include "kernel.h"

namespace {

struct GemmArguments {
  void *out;
  const void *a, *b, *bias;  // bias may be null
  i64 m, n, k, lda, ldb, ldout, transpose_a, transpose_b;
  double beta;
};

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

inline void blas_gemm(int ta, int tb, i64 m, i64 n, i64 k, const float *a, i64 lda, const float *b, i64 ldb, float beta,
                      float *out, i64 ldout) {
  tg_blas.sgemm(ROW_MAJOR, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, out, ldout);
}
inline void blas_gemm(int ta, int tb, i64 m, i64 n, i64 k, const double *a, i64 lda, const double *b, i64 ldb,
                      double beta, double *out, i64 ldout) {
  tg_blas.dgemm(ROW_MAJOR, ta, tb, m, n, k, 1.0, a, lda, b, ldb, beta, out, ldout);
}

template <class T>
inline void gemm_tile(const GemmArguments &g, i64 row, i64 rows, i64 column, i64 columns) {
  T *out = static_cast<T *>(g.out) + row * g.ldout + column;
  const T *a = static_cast<const T *>(g.a) + (g.transpose_a ? row : row * g.lda);
  const T *b = static_cast<const T *>(g.b) + (g.transpose_b ? column * g.ldb : column);
  blas_gemm(g.transpose_a ? TRANSPOSED : PLAIN, g.transpose_b ? TRANSPOSED : PLAIN, rows, columns, g.k, a, g.lda, b,
            g.ldb, (T)g.beta, out, g.ldout);
  if (!g.bias) return;
  const T *__restrict bias = static_cast<const T *>(g.bias) + column;
  for (i64 r = 0; r < rows; ++r)
    for (i64 c = 0; c < columns; ++c) out[r * g.ldout + c] += bias[c];
}

struct Grid {
  i64 rows, columns;  // of a tile
};

constexpr i64 SPLIT_FROM = 1 << 21;  // multiplications; a smaller product is one tile
constexpr i64 NARROW = 32;           // columns of out; such a product goes 64 rows at a time, which OpenBLAS's kernels for
                                     // small matrices take: 6 microseconds for 18 at 128 x 10 x 512 on AVX-512

// Measured on 2 cores: whole products are 3 to 8 % faster on one thread, tiles of 128 columns share out best.
inline Grid gemm_grid(i64 m, i64 n, i64 k) {
  if (n <= NARROW) return {64, n};
  if (m * n * k < SPLIT_FROM) return {m, n};
  return {256, 128};
}

template <class T>
inline void gemm(const GemmArguments &g) {
  if (g.m == 0 || g.n == 0) return;
  const Grid tile = gemm_grid(g.m, g.n, g.k);
  const i64 across = ceil_div(g.n, tile.columns);
  tg_blas_enter();
  parallel(ceil_div(g.m, tile.rows) * across, [&](i64 number) {
    const i64 row = number / across * tile.rows, column = number % across * tile.columns;
    gemm_tile<T>(g, row, row + tile.rows < g.m ? tile.rows : g.m - row, column,
                 column + tile.columns < g.n ? tile.columns : g.n - column);
  });
  tg_blas_leave();
}

struct SumArguments {
  void *out;
  const void *x;
  i64 rows, columns, accumulate;
};

template <class T>
inline void column_sums(const SumArguments &a) {
  T *out = static_cast<T *>(a.out);
  parallel_columns(a.columns, [&](i64 begin, i64 width) {
    const T *x = static_cast<const T *>(a.x) + begin;
    T total[COLUMNS];
    sum_columns<T>(total, a.rows, width, [=](i64 r, i64 c) { return x[r * a.columns + c]; });
    for (i64 c = 0; c < width; ++c) out[begin + c] = a.accumulate ? out[begin + c] + total[c] : total[c];
  });
}

}  // namespace

TG_KERNEL(gemm, GemmArguments)
TG_KERNEL(column_sums, SumArguments)
