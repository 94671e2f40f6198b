// One launch updates a whole model: flat arrays, a table of segments (offset, length), a row of scalars per segment.
// Tiles are pieces of the flat arrays, whatever the segments, so that many small segments share a tile. Each tile looks
// through the whole table, which needs no order; a segment of length 0 is skipped. Segments must not overlap.
#include "../include/adam.h"
#include "../include/sgd.h"
#include "kernel.h"

namespace {

// Elements of a tile. Long ones let the prefetcher run: at 25 million elements, pieces of a million take 6.3 ms and of
// 32768 take 7.0 where memory is fast (a copy runs at 80 GB/s), and the same 9.7 where it is slow (47 GB/s).
constexpr i64 FLAT_PIECE = 32768, LONG_PIECE = 1 << 20;
inline i64 flat_piece(i64 count) {
  i64 piece = count / 16;
  return piece < FLAT_PIECE ? FLAT_PIECE : piece > LONG_PIECE ? LONG_PIECE : piece;
}

// Runs f(begin, end, segment) over the parts of every segment that lie in each tile of 0..count.
template <class F>
inline void each_segment(i64 count, const i64 *segments, i64 rows, const F &f) {
  parallel_pieces(count, flat_piece(count), [&](i64 begin, i64 end) {
    for (i64 s = 0; s < rows; ++s) {
      i64 from = segments[2 * s], to = from + segments[2 * s + 1];
      if (from < begin) from = begin;
      if (to > end) to = end;
      if (from < to) f(from, to, s);
    }
  });
}

struct AdamArguments {
  void *theta;
  const void *grad;
  void *m, *v;
  const i64 *segments;
  const double *control;
  i64 count, rows;
};

template <class T, bool decays, bool shrinks>
inline void adam_range(T *__restrict p, const T *__restrict g, T *__restrict m, T *__restrict v, i64 n,
                       AdamScalars<T> s) {
  for (i64 i = 0; i < n; ++i) adam(p[i], g[i], m[i], v[i], s, decays, shrinks);
}

template <class T>
inline void adam_segments(const AdamArguments &a) {
  T *theta = static_cast<T *>(a.theta), *m = static_cast<T *>(a.m), *v = static_cast<T *>(a.v);
  const T *grad = static_cast<const T *>(a.grad);
  each_segment(a.count, a.segments, a.rows, [&](i64 from, i64 to, i64 segment) {
    const double *row = a.control + segment * ADAM_COLUMNS;
    const AdamScalars<T> s = adam_scalars<T>(row);
    const bool decays = adam_decays(row), shrinks = adam_shrinks(row);
    auto range = decays ? (shrinks ? adam_range<T, true, true> : adam_range<T, true, false>)
                        : (shrinks ? adam_range<T, false, true> : adam_range<T, false, false>);
    range(theta + from, grad + from, m + from, v + from, to - from, s);
  });
}

struct SgdArguments {
  void *theta;
  const void *grad;
  const i64 *segments;
  const double *control;
  i64 count, rows;
};

template <class T, bool decays>
inline void sgd_range(T *__restrict p, const T *__restrict g, i64 n, T lr, T l2) {
  for (i64 i = 0; i < n; ++i) sgd(p[i], g[i], lr, l2, decays);
}

template <class T>
inline void sgd_segments(const SgdArguments &a) {
  T *theta = static_cast<T *>(a.theta);
  const T *grad = static_cast<const T *>(a.grad);
  each_segment(a.count, a.segments, a.rows, [&](i64 from, i64 to, i64 segment) {
    const double *row = a.control + segment * SGD_COLUMNS;
    (row[1] != 0 ? sgd_range<T, true> : sgd_range<T, false>)(theta + from, grad + from, to - from, (T)row[0], (T)row[1]);
  });
}

}  // namespace

TG_KERNEL(adam_segments, AdamArguments)
TG_KERNEL(sgd_segments, SgdArguments)
