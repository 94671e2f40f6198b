// Sums and means over neighbouring axes of x (outer, count, inner), and their gradients, in NumPy's order of additions: along
// rows in pairs, down columns one row after another.
#include "../include/pairwise.h"
#include "kernel.h"

namespace {

struct ReductionArguments {
  void *out;
  const void *x;
  i64 outer, count, inner;
  double divisor;  // of a mean, else 1
};

template <class T>
T pairwise_sum(const T *x, i64 n) {
  if (n <= PAIRWISE_LEAF) return pairwise_leaf(x, n);
  const i64 half = left_half(n);
  return pairwise_sum(x, half) + pairwise_sum(x + half, n - half);
}

template <class T>
inline T divided(T total, double divisor) {
  return divisor == 1 ? total : (T)((double)total / divisor);  // NumPy divides in double precision
}

constexpr i64 DEEPEST = 6;  // levels of the tree that are shared out, at most

// One long row: the subtrees of its tree are tiles.
template <class T>
inline T long_sum(const T *x, i64 n, i64 depth) {
  T part[1 << DEEPEST];
  parallel(i64(1) << depth, [&](i64 tile) {
    const T *begin = x;
    i64 size = n;
    for (i64 bit = depth - 1; bit >= 0; --bit) {
      const i64 half = left_half(size);
      const bool right = tile >> bit & 1;
      begin += right ? half : 0;
      size = right ? size - half : half;
    }
    part[tile] = pairwise_sum(begin, size);
  });
  for (i64 width = i64(1) << depth; width > 1; width /= 2)
    for (i64 i = 0; i < width / 2; ++i) part[i] = part[2 * i] + part[2 * i + 1];
  return part[0];
}

template <class T>
inline void sum_rows(const ReductionArguments &a) {
  const T *x = static_cast<const T *>(a.x);
  T *out = static_cast<T *>(a.out);
  const i64 count = a.count;
  i64 depth = 0;
  while (depth < DEEPEST && count >> (depth + 1) >= PIECE) ++depth;
  if (depth > 0) {
    for (i64 r = 0; r < a.outer; ++r) out[r] = divided(T(0) + long_sum(x + r * count, count, depth), a.divisor);
    return;
  }
  parallel_pieces(a.outer, PIECE / (count < 1 ? 1 : count < PIECE ? count : PIECE), [=](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) out[r] = divided(T(0) + pairwise_sum(x + r * count, count), a.divisor);
  });
}

template <class T>
inline void sum_down(const ReductionArguments &a) {
  const i64 across = ceil_div(a.inner, COLUMNS);
  parallel(a.outer * across, [=](i64 tile) {
    const i64 begin = tile % across * COLUMNS, width = a.inner - begin < COLUMNS ? a.inner - begin : COLUMNS;
    const T *x = static_cast<const T *>(a.x) + tile / across * a.count * a.inner + begin;
    T *out = static_cast<T *>(a.out) + tile / across * a.inner + begin, total[COLUMNS] = {};
    for (i64 r = 0; r < a.count; ++r)
      for (i64 c = 0; c < width; ++c) total[c] += x[r * a.inner + c];
    for (i64 c = 0; c < width; ++c) out[c] = divided(total[c], a.divisor);
  });
}

template <class T>
inline void axis_sum(const ReductionArguments &a) {
  a.inner == 1 ? sum_rows<T>(a) : sum_down<T>(a);
}

struct SpreadArguments {
  void *out;
  const void *x;  // (outer, inner)
  i64 outer, count, inner;
};

// out (outer, count, inner): each of x along the axis in the middle.
template <class T>
inline void axis_spread(const SpreadArguments &a) {
  const T *x = static_cast<const T *>(a.x);
  T *out = static_cast<T *>(a.out);
  const i64 count = a.count, inner = a.inner;
  parallel_pieces(a.outer * count, PIECE / (inner < 1 ? 1 : inner < PIECE ? inner : PIECE), [=](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row)
      for (i64 c = 0; c < inner; ++c) out[row * inner + c] = x[row / count * inner + c];
  });
}

}  // namespace

TG_KERNEL(axis_sum, ReductionArguments)
TG_KERNEL(axis_spread, SpreadArguments)
