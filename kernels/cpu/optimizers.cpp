// One launch updates a whole model: flat arrays, a table of segments (offset, length), a row of scalars per segment.
// Tiles are pieces of the flat arrays, whatever the segments, so that many small segments share a tile. Each tile finds its
// first segment by bisection, or looks through the whole table where that is in no order; a segment of length 0 is skipped.
// Segments must not overlap.
#include "../include/adam.h"
#include "../include/norm.h"
#include "../include/rmsprop.h"
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

// How many of the numbers at(0) <= at(1) <= ... <= at(n - 1) are at most x.
template <class F>
inline i64 count_up_to(i64 x, i64 n, const F &at) {
  i64 low = 0, high = n;
  while (low < high) {
    const i64 middle = (low + high) / 2;
    if (at(middle) <= x)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Runs f(begin, end, segment) over the parts of every segment that lie in each tile of 0..count.
template <class F>
inline void each_segment(i64 count, const i64 *segments, i64 rows, const F &f) {
  const auto end_of = [&](i64 s) { return segments[2 * s] + segments[2 * s + 1]; };
  bool ordered = true;
  for (i64 s = 1; s < rows; ++s) ordered &= end_of(s - 1) <= segments[2 * s];
  parallel_pieces(count, flat_piece(count), [&](i64 begin, i64 end) {
    for (i64 s = ordered ? count_up_to(begin, rows, end_of) : 0; s < rows; ++s) {
      i64 from = segments[2 * s], to = end_of(s);
      if (ordered && from >= end) break;
      if (from < begin) from = begin;
      if (to > end) to = end;
      if (from < to) f(from, to, s);
    }
  });
}

struct UpdateArguments {
  void *theta;
  const void *grad;
  void *states[3];  // as many as the rule has
  void *average;    // of theta, or null
  const i64 *segments;
  const double *control;
  i64 count, rows;
};

template <bool AVERAGES, class T, class Rule>
inline void update_range(T *__restrict p, const T *__restrict g, T *__restrict a, T *__restrict b, T *__restrict c,
                         T *__restrict average, i64 n, const Rule &rule, const Terms<T> &t) {
  for (i64 i = 0; i < n; ++i) {
    if constexpr (Rule::STATES == 0) update_element(rule, t, p[i], g[i]);
    if constexpr (Rule::STATES == 1) update_element(rule, t, p[i], g[i], a[i]);
    if constexpr (Rule::STATES == 2) update_element(rule, t, p[i], g[i], a[i], b[i]);
    if constexpr (Rule::STATES == 3) update_element(rule, t, p[i], g[i], a[i], b[i], c[i]);
    if constexpr (AVERAGES) follow(p[i], average[i], t);
  }
}

// The loop again for each choice of the terms that cost something, which the compiler then knows: L2 and L1. A factor of 1, an
// infinite limit and a shrinking by 1 change no bit, so those are always there.
template <bool AVERAGES, class T, class Rule>
inline void update_range_by_terms(T *p, const T *g, T *a, T *b, T *c, T *average, i64 n, const Rule &rule, Terms<T> t) {
  const bool decays = t.decays;
  t.scales = t.limits = t.shrinks = true;
  if (t.thresholds) return update_range<AVERAGES>(p, g, a, b, c, average, n, rule, t);
  t.thresholds = t.decays = false;
  if (!decays) return update_range<AVERAGES>(p, g, a, b, c, average, n, rule, t);
  t.decays = true;
  update_range<AVERAGES>(p, g, a, b, c, average, n, rule, t);
}

template <class T, class Rule, bool AVERAGES>
inline void update_all(const UpdateArguments &a) {
  T *theta = static_cast<T *>(a.theta), *average = static_cast<T *>(a.average), *states[3];
  const T *grad = static_cast<const T *>(a.grad);
  for (int k = 0; k < 3; ++k) states[k] = static_cast<T *>(a.states[k]);
  each_segment(a.count, a.segments, a.rows, [&](i64 from, i64 to, i64 segment) {
    const double *row = a.control + segment * (Rule::COLUMNS + TERM_COLUMNS);
    T *parts[3];
    for (int k = 0; k < 3; ++k) parts[k] = k < Rule::STATES ? states[k] + from : nullptr;
    update_range_by_terms<AVERAGES>(theta + from, grad + from, parts[0], parts[1], parts[2],
                                    AVERAGES ? average + from : nullptr, to - from, Rule::of(row),
                                    terms_of<T>(row + Rule::COLUMNS));
  });
}

template <class T, class Rule>
inline void update_segments(const UpdateArguments &a) {
  a.average ? update_all<T, Rule, true>(a) : update_all<T, Rule, false>(a);
}

template <class T>
inline void adam_segments(const UpdateArguments &a) {
  update_segments<T, Adam<T>>(a);
}

template <class T>
inline void sgd_segments(const UpdateArguments &a) {
  a.states[0] ? update_segments<T, Momentum<T>>(a) : update_segments<T, Descent<T>>(a);
}

// States: v, then the momentum's buffer and the mean where they are given.
template <class T>
inline void rmsprop_segments(const UpdateArguments &a) {
  UpdateArguments dense = a;
  if (!a.states[1]) dense.states[1] = a.states[2];
  if (a.states[1])
    a.states[2] ? update_segments<T, RMSprop<T, true, true>>(a) : update_segments<T, RMSprop<T, true, false>>(a);
  else
    a.states[2] ? update_segments<T, RMSprop<T, false, true>>(dense) : update_segments<T, RMSprop<T, false, false>>(a);
}

struct ClipArguments {
  const void *grad;
  const i64 *segments;
  double *control, *norm, *leaves;  // leaves: scratch, one for each leaf
  i64 *starts;                      // scratch: the number of each segment's first leaf
  i64 rows, columns, column;        // of control, and the one to write the factor to
  double max_norm, unscale;
};

template <class T>
inline double norm_of_leaf(const T *x, i64 n) {
  double lanes[NORM_LANES] = {}, total = 0;
  i64 i = 0;
  for (; i + NORM_LANES <= n; i += NORM_LANES)
    for (i64 j = 0; j < NORM_LANES; ++j) lanes[j] += (double)x[i + j] * (double)x[i + j];
  for (i64 j = 0; i + j < n; ++j) lanes[j] += (double)x[i + j] * (double)x[i + j];
  for (i64 j = 0; j < NORM_LANES; ++j) total += lanes[j];
  return total;
}

template <class T>
inline void clip_segments(const ClipArguments &a) {
  i64 count = 0;
  for (i64 s = 0; s < a.rows; ++s) {
    a.starts[s] = count;
    count += norm_leaves(a.segments[2 * s + 1]);
  }
  parallel(count, [&](i64 tile) {
    const i64 s = count_up_to(tile, a.rows, [&](i64 row) { return a.starts[row]; }) - 1;
    const i64 begin = (tile - a.starts[s]) * NORM_LEAF, length = a.segments[2 * s + 1], end = begin + NORM_LEAF;
    const T *x = static_cast<const T *>(a.grad) + a.segments[2 * s] + begin;
    a.leaves[tile] = norm_of_leaf(x, (end < length ? end : length) - begin);
  });
  double total = 0;
  for (i64 s = 0, leaf = 0; s < a.rows; ++s) {
    double sum = 0;
    for (i64 last = leaf + norm_leaves(a.segments[2 * s + 1]); leaf < last; ++leaf) sum += a.leaves[leaf];
    total += sum;
  }
  *a.norm = square_root(total) * a.unscale;
  for (i64 s = 0; s < a.rows; ++s) a.control[s * a.columns + a.column] = clip_factor(*a.norm, a.max_norm) * a.unscale;
}

}  // namespace

TG_KERNEL(adam_segments, UpdateArguments)
TG_KERNEL(sgd_segments, UpdateArguments)
TG_KERNEL(rmsprop_segments, UpdateArguments)
TG_KERNEL(clip_segments, ClipArguments)
