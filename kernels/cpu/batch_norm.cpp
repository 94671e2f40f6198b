// Batch normalisation of x (N, C) down its columns, 64 columns to a tile: the passes over a tile find it in the cache.
//
// The tail's activation and dropout run over each row of a tile as it is written; the gradient finds them in the result.
//
// Training: mean and variance in two passes over x - shift, shift being the column's first value, so that a mean that is
// large beside the deviation costs no digits. Saves shift, delta (mean = shift + delta) and inv_std for the gradient.
#include "../include/batch_norm.h"
#include "tail.h"

namespace {

struct BatchNormArguments {
  void *out, *shift, *delta, *inv_std;
  const void *x, *weight, *bias;
  void *running_mean, *running_var;
  const i64 *cell;
  i64 rows, columns;
  double momentum, eps;
  Tail tail;
};

template <class T>
struct Columns {  // one tile's statistics, on the stack
  T shift[COLUMNS], delta[COLUMNS], inv_std[COLUMNS], weight[COLUMNS], bias[COLUMNS];
};

template <class T>
inline void load(T *to, const void *from, i64 begin, i64 width) {
  for (i64 c = 0; c < width; ++c) to[c] = static_cast<const T *>(from)[begin + c];
}

template <class T>
inline void save(void *to, const T *from, i64 begin, i64 width) {
  for (i64 c = 0; c < width; ++c) static_cast<T *>(to)[begin + c] = from[c];
}

template <class T>
inline void update_running(const BatchNormArguments &a, const Columns<T> &s, const T *variance, i64 begin, i64 width) {
  T *mean = static_cast<T *>(a.running_mean) + begin, *var = static_cast<T *>(a.running_var) + begin;
  const T fresh = (T)a.momentum, stale = (T)(1 - a.momentum), unbias = (T)((double)a.rows / (double)(a.rows - 1));
  for (i64 c = 0; c < width; ++c) {
    mean[c] = stale * mean[c] + fresh * (s.shift[c] + s.delta[c]);
    var[c] = stale * var[c] + fresh * (variance[c] * unbias);
  }
}

template <class T>
__attribute__((always_inline)) inline void normalise(const BatchNormArguments &a, const Tail &tail, const Columns<T> &s,
                                                     i64 begin, i64 width) {
  const T *x = static_cast<const T *>(a.x);
  T *out = static_cast<T *>(a.out);
  finish_rows(out, a.columns, 0, a.rows, begin, width, tail, *a.cell + tail.mask.offset, [&](i64 r) __attribute__((always_inline)) {
    for (i64 c = 0; c < width; ++c) {
      const i64 i = r * a.columns + begin + c;
      out[i] = tg::batch_norm(x[i], s.shift[c], s.delta[c], s.inv_std[c], s.weight[c], s.bias[c]);
    }
  });
}

template <class T>
inline void batch_norm_train(const BatchNormArguments &a) {
  const Tail tail = in_tile(a.tail, a.columns, COLUMNS);
  parallel_columns(a.columns, [&](i64 begin, i64 width) __attribute__((always_inline)) {
    const T *x = static_cast<const T *>(a.x) + begin;
    const i64 columns = a.columns;
    const T count = (T)a.rows;
    Columns<T> s;
    T variance[COLUMNS];
    load(s.weight, a.weight, begin, width);
    load(s.bias, a.bias, begin, width);
    load(s.shift, x, 0, width);
    sum_columns<T>(s.delta, a.rows, width, [&](i64 r, i64 c) { return x[r * columns + c] - s.shift[c]; });
    for (i64 c = 0; c < width; ++c) s.delta[c] /= count;
    sum_columns<T>(variance, a.rows, width, [&](i64 r, i64 c) {
      T centred = batch_norm_centre(x[r * columns + c], s.shift[c], s.delta[c]);
      return centred * centred;
    });
    for (i64 c = 0; c < width; ++c) variance[c] /= count;
    for (i64 c = 0; c < width; ++c) s.inv_std[c] = batch_norm_inv_std(variance[c], (T)a.eps);
    normalise(a, tail, s, begin, width);
    update_running(a, s, variance, begin, width);
    save(a.shift, s.shift, begin, width);
    save(a.delta, s.delta, begin, width);
    save(a.inv_std, s.inv_std, begin, width);
  });
  drop_later(static_cast<T *>(a.out), a.rows * a.columns, a.tail, tail, *a.cell + tail.mask.offset);
}

// Evaluation: shift = the running mean, delta = 0, both saved like the training pass's for the gradient.
template <class T>
inline void batch_norm_eval(const BatchNormArguments &a) {
  const Tail tail = in_tile(a.tail, a.columns, COLUMNS);
  parallel_columns(a.columns, [&](i64 begin, i64 width) __attribute__((always_inline)) {
    const T *variance = static_cast<const T *>(a.running_var) + begin;
    Columns<T> s;
    load(s.weight, a.weight, begin, width);
    load(s.bias, a.bias, begin, width);
    load(s.shift, a.running_mean, begin, width);
    for (i64 c = 0; c < width; ++c) s.delta[c] = T(0);
    for (i64 c = 0; c < width; ++c) s.inv_std[c] = batch_norm_inv_std(variance[c], (T)a.eps);
    normalise(a, tail, s, begin, width);
    save(a.shift, s.shift, begin, width);
    save(a.delta, s.delta, begin, width);
    save(a.inv_std, s.inv_std, begin, width);
  });
  drop_later(static_cast<T *>(a.out), a.rows * a.columns, a.tail, tail, *a.cell + tail.mask.offset);
}

struct BackwardArguments {
  void *dx, *dweight, *dbias;  // each may be null
  const void *grad, *out, *x, *weight, *shift, *delta, *inv_std;  // out: with a tail
  i64 rows, columns, training, accumulate_weight, accumulate_bias, kind;
  double slope, scale;
};

template <class T, int KIND>
__attribute__((always_inline)) inline void batch_norm_backward_tile(const BackwardArguments &a, i64 begin, i64 width) {
  const T *grad = static_cast<const T *>(a.grad) + begin, *x = static_cast<const T *>(a.x) + begin;
  const T *out = KIND == NOTHING ? grad : static_cast<const T *>(a.out) + begin;
  T *dx = static_cast<T *>(a.dx) + begin;
  const T tail_slope = (T)a.slope, tail_scale = (T)a.scale;
  const i64 columns = a.columns;
  Columns<T> s;
  T sum[COLUMNS], product[COLUMNS];
  load(s.weight, a.weight, begin, width);
  load(s.shift, a.shift, begin, width);
  load(s.delta, a.delta, begin, width);
  load(s.inv_std, a.inv_std, begin, width);
  auto normalised = [&](i64 i, i64 c) { return batch_norm_centre(x[i], s.shift[c], s.delta[c]) * s.inv_std[c]; };
  auto slope = [=](i64 i) { return tg::tail_backward<KIND>(out[i], grad[i], tail_slope, tail_scale); };
  sum_columns<T>(sum, a.rows, width, [&](i64 r, i64 c) { return slope(r * columns + c); });
  sum_columns<T>(product, a.rows, width, [&](i64 r, i64 c) {
    const i64 i = r * columns + c;
    return slope(i) * normalised(i, c);
  });
  add_or_save(a.dweight, product, begin, width, a.accumulate_weight);  // first: one parameter may be both
  add_or_save(a.dbias, sum, begin, width, a.accumulate_bias);
  if (!a.dx) return;
  if (!a.training) {  // the batch moves neither mean nor deviation: an x that is not finite spoils no gradient of x
    for (i64 r = 0; r < a.rows; ++r)
      for (i64 c = 0; c < width; ++c) dx[r * columns + c] = s.weight[c] * s.inv_std[c] * slope(r * columns + c);
    return;
  }
  for (i64 c = 0; c < width; ++c) sum[c] /= (T)a.rows;
  for (i64 c = 0; c < width; ++c) product[c] /= (T)a.rows;
  for (i64 r = 0; r < a.rows; ++r)
    for (i64 c = 0; c < width; ++c) {
      const i64 i = r * columns + c;
      dx[i] = tg::batch_norm_backward(slope(i), normalised(i, c), sum[c], product[c], s.weight[c], s.inv_std[c]);
    }
}

template <class T>
inline void batch_norm_backward(const BackwardArguments &a) {
  by_kind(a.kind, [&](auto kind) {
    parallel_columns(a.columns, [&](i64 begin, i64 width) __attribute__((always_inline)) {
      batch_norm_backward_tile<T, decltype(kind)::value>(a, begin, width);
    });
  });
}

}  // namespace

TG_KERNEL(batch_norm_train, BatchNormArguments)
TG_KERNEL(batch_norm_eval, BatchNormArguments)
TG_KERNEL(batch_norm_backward, BackwardArguments)
