// Matrix products, split into tiles over the BLAS's own gemm called on one thread or over direct.h, and the bias beside them.
//
//   out (M, N) <- op(a) (M, K) op(b) (K, N) + beta out, then + bias (N,) and the tail where given;   row-major, op transposes
//   or not
//   column_sums: out (C,) <- sum over rows of x (R, C), added to out where `accumulate`; tail_backward: the same of a gradient
//
// The grid of tiles is a function of the shapes and of how the operands lie: a tile's product is the same call whatever the
// threads.
#include "direct.h"
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

constexpr i64 SPLIT_FROM = 1 << 21;  // multiplications; a smaller product is one tile, unless it is narrow
constexpr i64 LONG = 1 << 27;        // multiplications that are worth more tiles
constexpr i64 SMALL = 1000000;       // up to so many OpenBLAS has kernels of their own, which copy no operand
constexpr i64 NARROW = 32;           // a product with so small an m, n or k is up to three times as fast in these
constexpr i64 PARTS = 16384;         // elements of all parts together, on the caller's stack

inline i64 least(i64 a, i64 b) { return a < b ? a : b; }

// Where direct.h is faster than the BLAS. In microseconds of a tile on one thread, BLAS and direct:
//   a b^T  100 x 100 x 784: 107, 76;  128 x 128 x 256: 51, 45;  128 x 128 x 128: 27, 28;  512 x 128 x 1024: 640, 710
//   a b    128 x 128 x 512: 85, 69;  512 x 256 x 512: 618, 557;  512 x 256 x 2048: 2490, 3730
//   a^T b  100 x 400 x 200: 77, 69;  256 x 400 x 128: 123, 113;  of rows of 1024 or 2048: 610, 645
inline bool is_direct(const GemmArguments &g) {
  if (!HAVE_DIRECT || g.beta != 0 || least(least(g.m, g.n), g.k) <= NARROW) return false;
  if (g.transpose_b) return !g.transpose_a && g.k >= 256 && g.k < 1024;
  return g.transpose_a ? g.k <= 256 && g.lda <= 512 : g.k <= 512;
}

template <class T>
inline void gemm_tile(const GemmArguments &g, const Tail &tail, i64 row, i64 rows, i64 column, i64 columns) {
  T *out = static_cast<T *>(g.out);
  const T *a = static_cast<const T *>(g.a) + (g.transpose_a ? row : row * g.lda);
  const T *b = static_cast<const T *>(g.b) + (g.transpose_b ? column * g.ldb : column);
  const BlasProduct<T> product{g.transpose_a != 0, g.transpose_b != 0, rows, columns, g.k, a, g.lda, b, g.ldb, (T)g.beta,
                               out + row * g.n + column, g.n};
  is_direct(g) ? direct_product(product) : blas_gemm(product);
  const T *bias = g.bias ? static_cast<const T *>(g.bias) + column : nullptr;
  if (!bias && tail.kind == NOTHING && tail.mask.threshold < 0) return;
  finish_rows(out, g.n, row, rows, column, columns, tail, *g.cell + tail.mask.offset, [=](i64 r) {
    T *__restrict to = out + r * g.n + column;
    for (i64 c = 0; bias && c < columns; ++c) to[c] += bias[c];
  });
}

struct Grid {
  i64 rows, columns, depth;  // of a tile; where depth < k the products of a tile's parts are added afterwards
};

// `n` cut into equal pieces of at most `most`, in multiples of a block of random words where n is one, else of 16.
inline i64 piece_of(i64 n, i64 most) {
  const i64 unit = n % BLOCK ? 16 : BLOCK, piece = ceil_div(n, ceil_div(n, most));
  return ceil_div(piece, unit) * unit;
}

// As many as fit in SMALL beside `others`, in multiples of `unit`: at least `unit`.
inline i64 fitting(i64 others, i64 unit, i64 most) {
  const i64 count = SMALL / (others > 0 ? others : 1) / unit * unit;
  return count < unit ? unit : least(count, most);
}

// Of few columns: rows of a, and parts of k where even 16 rows are too many.
inline Grid few_columns(i64 m, i64 n, i64 k) {
  const i64 rows = fitting(n * k, 16, 64), depth = fitting(least(m, 32) * n, 64, k);
  if (least(m, rows) * n * k <= SMALL || m * n * ceil_div(k, depth) > PARTS) return {rows, n, k};
  return {least(m, 32), n, depth};
}

// Tiles as large as can be, for every tile copies its parts of a and b; but four of them, of a long product eight.
inline Grid large_tiles(i64 m, i64 n, i64 k) {
  i64 rows = piece_of(m, 512), columns = piece_of(n, 512);
  while (ceil_div(m, rows) * ceil_div(n, columns) < (m * n * k < LONG ? 4 : 8)) {
    if (columns >= 256 && (columns >= rows || rows < 256))
      columns = piece_of(n, columns / 2);
    else if (rows >= 128)
      rows = piece_of(m, rows / 2);
    else
      break;
  }
  return {rows, columns, k};
}

// The piece, or a longer one where the last one of n would be shorter than `shortest`.
inline i64 no_sliver(i64 n, i64 piece, i64 unit, i64 shortest) {
  while (n % piece != 0 && n % piece < shortest) piece += unit;
  return piece;
}

// For rows by rows: columns whose rows of b lie in the second cache; two tiles at least, of a long product four.
inline Grid rows_by_rows_grid(i64 m, i64 n, i64 k) {
  if (m * n * k < SPLIT_FROM) return {m, n, k};
  const i64 columns = piece_of(n, 128), down = ceil_div(m * n * k < LONG / 8 ? 2 : 4, ceil_div(n, columns));
  return {ceil_div(ceil_div(m, down), DIRECT_ROWS) * DIRECT_ROWS, columns, k};
}

// Measured on 2 cores with AVX-512, in GFLOP/s of both, which at best do 460:
//   32 x 25 x 12288, a layer of 25 units over images: 77 as a whole, 336 in parts of 1024 of k
//   512 x 10 x 2048: 117 as a whole or 64 rows at a time, 240 with 48
//   512 x 784 x 128: 387 in tiles of 256 x 112, 436 of 256 x 400;   512 x 2048 x 2048: 373 of 256 x 128, 419 of 512 x 256
inline Grid gemm_grid(i64 m, i64 n, i64 k) {
  if (n <= NARROW) return few_columns(m, n, k);
  if (m <= NARROW && m * n * k >= SPLIT_FROM / 2) return {m, fitting(m * k, 64, 1024), k};
  if (m * n * k < SPLIT_FROM) return {m, n, k};
  return k <= NARROW ? Grid{piece_of(m, 256), piece_of(n, 128), k} : large_tiles(m, n, k);
}

template <class T>
inline void gemm_tiles(const GemmArguments &g, const Grid &tile) {
  const i64 across = ceil_div(g.n, tile.columns);
  const Tail tail = in_tile(g.tail, g.n, tile.columns);
  tg_blas_enter();
  parallel(ceil_div(g.m, tile.rows) * across, [&](i64 number) {
    const i64 row = number / across * tile.rows, column = number % across * tile.columns;
    gemm_tile<T>(g, tail, row, least(tile.rows, g.m - row), column, least(tile.columns, g.n - column));
  });
  tg_blas_leave();
  drop_later(static_cast<T *>(g.out), g.m * g.n, g.tail, tail, *g.cell + tail.mask.offset);
}

// Each part of k into a matrix of its own, then their sum in the order of the parts.
template <class T>
inline void gemm_parts(const GemmArguments &g, const Grid &tile) {
  alignas(64) T parts[PARTS];
  const i64 down = ceil_div(g.m, tile.rows), size = g.m * g.n, count = ceil_div(g.k, tile.depth);
  Tail none = g.tail;
  none.kind = NOTHING;
  none.mask.threshold = -1;
  tg_blas_enter();
  parallel(down * count, [&](i64 number) {
    const i64 row = number % down * tile.rows, part = number / down, from = part * tile.depth;
    GemmArguments piece = g;
    piece.a = static_cast<const T *>(g.a) + (g.transpose_a ? from * g.lda : from);
    piece.b = static_cast<const T *>(g.b) + (g.transpose_b ? from : from * g.ldb);
    piece.k = least(tile.depth, g.k - from);
    piece.out = parts + part * size;
    piece.bias = nullptr;
    piece.beta = 0;
    gemm_tile<T>(piece, none, row, least(tile.rows, g.m - row), 0, g.n);
  });
  tg_blas_leave();
  T *out = static_cast<T *>(g.out);
  const T *bias = static_cast<const T *>(g.bias), beta = (T)g.beta;
  finish_rows(out, g.n, 0, g.m, 0, g.n, g.tail, *g.cell + g.tail.mask.offset, [=, &parts](i64 r) {
    for (i64 i = r * g.n; i < (r + 1) * g.n; ++i) {
      T sum = parts[i];
      for (i64 part = 1; part < count; ++part) sum += parts[part * size + i];
      out[i] = beta == T(0) ? sum : beta * out[i] + sum;
    }
    for (i64 c = 0; bias && c < g.n; ++c) out[r * g.n + c] += bias[c];
  });
}

template <class T>
inline void gemm(const GemmArguments &g) {
  if (g.m == 0 || g.n == 0) return;
  const bool direct = is_direct(g);
  Grid tile = direct && g.transpose_b ? rows_by_rows_grid(g.m, g.n, g.k) : gemm_grid(g.m, g.n, g.k);
  if (direct) {
    tile.rows = no_sliver(g.m, tile.rows, DIRECT_ROWS, DIRECT_ROWS);
    tile.columns = no_sliver(g.n, tile.columns, 16, DIRECT_COLUMNS);
  }
  tile.depth < g.k ? gemm_parts<T>(g, tile) : gemm_tiles<T>(g, tile);
}

struct SumArguments {
  void *out;
  const void *x;
  Split split;
  i64 accumulate;
};

template <class T>
inline void column_sums(const SumArguments &a) {
  const T *x = static_cast<const T *>(a.x);
  const i64 columns = a.split.columns;
  auto sums = [=](T(&total)[1][COLUMNS], i64 row, i64 end, i64 begin, i64 width) TG_INLINED {
    sum_columns(total, row, end, width, [=](i64 r, i64 c, T(&term)[1]) { term[0] = x[r * columns + begin + c]; });
  };
  column_totals<T, 1>(a.split, sums, [=](const T(&total)[1][COLUMNS], i64 begin, i64 width) {
    add_or_save(a.out, total[0], begin, width, a.accumulate);
  });
}

struct TailBackwardArguments {
  void *dy, *sums;  // sums, down the columns of dy, may be null
  const void *grad, *out;
  Split split;
  i64 accumulate, kind;
  double slope, scale;
};

// The gradient before the tail, and its sums down the columns, which are a bias's gradient: two passes, for rows of a tile of
// columns lie apart, where three arrays at once are slow (512 x 2048: 228 microseconds instead of 528 in one).
template <class T>
inline void tail_backward(const TailBackwardArguments &a) {
  const T slope = (T)a.slope, scale = (T)a.scale, *grad = static_cast<const T *>(a.grad), *out = static_cast<const T *>(a.out);
  T *dy = static_cast<T *>(a.dy);
  by_kind(a.kind, [=](auto kind) TG_INLINED {
    parallel_pieces(a.split.rows * a.split.columns, PIECE, [=](i64 begin, i64 end) {
      for (i64 i = begin; i < end; ++i) dy[i] = tg::tail_backward<decltype(kind)::value>(out[i], grad[i], slope, scale);
    });
  });
  if (a.sums) column_sums<T>({a.sums, a.dy, a.split, a.accumulate});
}

}  // namespace

TG_KERNEL(gemm, GemmArguments)
TG_KERNEL(column_sums, SumArguments)
TG_KERNEL(tail_backward, TailBackwardArguments)
