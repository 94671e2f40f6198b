// Matrix products, split into tiles over the BLAS's own gemm called on one thread, and the bias beside them.
//
//   out (M, N) <- op(a) (M, K) op(b) (K, N) + beta out, then + bias (N,) and the tail where given;   row-major, op transposes
//   or not
//   column_sums: out (C,) <- sum over rows of x (R, C), added to out where `accumulate`
//
// The grid of tiles is a function of the shape alone: every product of a tile is the same call whatever the threads.
#include "tail.h"

namespace {

struct GemmArguments {
  void *out;
  const void *a, *b, *bias;  // bias may be null
  const i64 *cell;
  i64 m, n, k, lda, ldb, transpose_a, transpose_b;
  double beta;
  Tail tail;
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
inline void gemm_tile(const GemmArguments &g, const Tail &tail, i64 row, i64 rows, i64 column, i64 columns) {
  T *out = static_cast<T *>(g.out);
  const T *a = static_cast<const T *>(g.a) + (g.transpose_a ? row : row * g.lda);
  const T *b = static_cast<const T *>(g.b) + (g.transpose_b ? column * g.ldb : column);
  blas_gemm(g.transpose_a ? TRANSPOSED : PLAIN, g.transpose_b ? TRANSPOSED : PLAIN, rows, columns, g.k, a, g.lda, b,
            g.ldb, (T)g.beta, out + row * g.n + column, g.n);
  const T *bias = g.bias ? static_cast<const T *>(g.bias) + column : nullptr;
  if (!bias && tail.kind == NOTHING && tail.mask.threshold < 0) return;
  finish_rows(out, g.n, row, rows, column, columns, tail, *g.cell + tail.mask.offset, [=](i64 r) {
    T *__restrict to = out + r * g.n + column;
    for (i64 c = 0; bias && c < columns; ++c) to[c] += bias[c];
  });
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
  const Tail tail = in_tile(g.tail, g.n, tile.columns);
  tg_blas_enter();
  parallel(ceil_div(g.m, tile.rows) * across, [&](i64 number) {
    const i64 row = number / across * tile.rows, column = number % across * tile.columns;
    gemm_tile<T>(g, tail, row, row + tile.rows < g.m ? tile.rows : g.m - row, column,
                 column + tile.columns < g.n ? tile.columns : g.n - column);
  });
  tg_blas_leave();
  drop_later(static_cast<T *>(g.out), g.m * g.n, g.tail, tail, *g.cell + tail.mask.offset);
}

struct SumArguments {
  void *out;
  const void *x;
  i64 rows, columns, accumulate;
};

template <class T>
inline void column_sums(const SumArguments &a) {
  parallel_columns(a.columns, [&](i64 begin, i64 width) {
    const T *x = static_cast<const T *>(a.x) + begin;
    T total[COLUMNS];
    sum_columns<T>(total, a.rows, width, [=](i64 r, i64 c) { return x[r * a.columns + c]; });
    add_or_save(a.out, total, begin, width, a.accumulate);
  });
}

struct TailBackwardArguments {
  void *dy, *sums;  // sums, down the columns of dy, may be null
  const void *grad, *out;
  i64 rows, columns, accumulate, kind;
  double slope, scale;
};

// The gradient before the tail and its sums down the columns, which are a bias's gradient, in one pass.
template <class T>
inline void tail_backward(const TailBackwardArguments &a) {
  const T slope = (T)a.slope, scale = (T)a.scale;
  by_kind(a.kind, [&](auto kind) {
    parallel_columns(a.columns, [&](i64 begin, i64 width) __attribute__((always_inline)) {
      const T *grad = static_cast<const T *>(a.grad) + begin, *out = static_cast<const T *>(a.out) + begin;
      T *__restrict dy = static_cast<T *>(a.dy) + begin, total[COLUMNS];
      const i64 columns = a.columns;
      sum_columns<T>(total, a.rows, width, [=](i64 r, i64 c) {
        const i64 i = r * columns + c;
        return dy[i] = tg::tail_backward<decltype(kind)::value>(out[i], grad[i], slope, scale);
      });
      add_or_save(a.sums, total, begin, width, a.accumulate);
    });
  });
}

}  // namespace

TG_KERNEL(gemm, GemmArguments)
TG_KERNEL(column_sums, SumArguments)
TG_KERNEL(tail_backward, TailBackwardArguments)
