// Batch normalisation of x (N, C) down its columns, 64 columns to a tile: the passes over a tile find it in the cache.
//
// Training: mean and variance in two passes over x - shift, shift being the column's first value, so that a mean that is
// large beside the deviation costs no digits. Saves shift, delta (mean = shift + delta) and inv_std for the gradient.
#include "../include/batch_norm.h"
#include "kernel.h"

namespace {

struct BatchNormArguments {
  void *out, *shift, *delta, *inv_std;
  const void *x, *weight, *bias;
  void *running_mean, *running_var;
  i64 rows, columns;
  double momentum, eps;
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
__attribute__((always_inline)) inline void normalise(const BatchNormArguments &a, const Columns<T> &s, i64 begin, i64 width) {
  const T *x = static_cast<const T *>(a.x) + begin;
  T *out = static_cast<T *>(a.out) + begin;
  for (i64 r = 0; r < a.rows; ++r)
    for (i64 c = 0; c < width; ++c) {
      i64 i = r * a.columns + c;
      out[i] = tg::batch_norm(x[i], s.shift[c], s.delta[c], s.inv_std[c], s.weight[c], s.bias[c]);
    }
}

template <class T>
inline void batch_norm_train(const BatchNormArguments &a) {
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
    normalise(a, s, begin, width);
    update_running(a, s, variance, begin, width);
    save(a.shift, s.shift, begin, width);
    save(a.delta, s.delta, begin, width);
    save(a.inv_std, s.inv_std, begin, width);
  });
}

// Evaluation: shift = the running mean, delta = 0, both saved like the training pass's for the gradient.
template <class T>
inline void batch_norm_eval(const BatchNormArguments &a) {
  parallel_columns(a.columns, [&](i64 begin, i64 width) __attribute__((always_inline)) {
    const T *variance = static_cast<const T *>(a.running_var) + begin;
    Columns<T> s;
    load(s.weight, a.weight, begin, width);
    load(s.bias, a.bias, begin, width);
    load(s.shift, a.running_mean, begin, width);
    for (i64 c = 0; c < width; ++c) s.delta[c] = T(0);
    for (i64 c = 0; c < width; ++c) s.inv_std[c] = batch_norm_inv_std(variance[c], (T)a.eps);
    normalise(a, s, begin, width);
    save(a.shift, s.shift, begin, width);
    save(a.delta, s.delta, begin, width);
    save(a.inv_std, s.inv_std, begin, width);
  });
}

struct BackwardArguments {
  void *dx, *dweight, *dbias;  // each may be null
  const void *grad, *x, *weight, *shift, *delta, *inv_std;
  i64 rows, columns, training, accumulate_weight, accumulate_bias;
};

template <class T>
inline void add_or_save(void *to, const T *from, i64 begin, i64 width, i64 accumulate) {
  if (!to) return;
  T *out = static_cast<T *>(to) + begin;
  for (i64 c = 0; c < width; ++c) out[c] = accumulate ? out[c] + from[c] : from[c];
}

template <class T>
inline void batch_norm_backward(const BackwardArguments &a) {
  parallel_columns(a.columns, [&](i64 begin, i64 width) __attribute__((always_inline)) {
    const T *grad = static_cast<const T *>(a.grad) + begin, *x = static_cast<const T *>(a.x) + begin;
    T *dx = static_cast<T *>(a.dx) + begin;
    const i64 columns = a.columns;
    Columns<T> s;
    T sum[COLUMNS], product[COLUMNS];
    load(s.weight, a.weight, begin, width);
    load(s.shift, a.shift, begin, width);
    load(s.delta, a.delta, begin, width);
    load(s.inv_std, a.inv_std, begin, width);
    auto normalised = [&](i64 i, i64 c) { return batch_norm_centre(x[i], s.shift[c], s.delta[c]) * s.inv_std[c]; };
    sum_columns<T>(sum, a.rows, width, [&](i64 r, i64 c) { return grad[r * columns + c]; });
    sum_columns<T>(product, a.rows, width, [&](i64 r, i64 c) {
      i64 i = r * columns + c;
      return grad[i] * normalised(i, c);
    });
    add_or_save(a.dweight, product, begin, width, a.accumulate_weight);  // first: one parameter may be both
    add_or_save(a.dbias, sum, begin, width, a.accumulate_bias);
    if (!a.dx) return;
    for (i64 c = 0; c < width; ++c) sum[c] = a.training ? sum[c] / (T)a.rows : T(0);
    for (i64 c = 0; c < width; ++c) product[c] = a.training ? product[c] / (T)a.rows : T(0);
    for (i64 r = 0; r < a.rows; ++r)
      for (i64 c = 0; c < width; ++c) {
        i64 i = r * columns + c;
        dx[i] = tg::batch_norm_backward(grad[i], normalised(i, c), sum[c], product[c], s.weight[c], s.inv_std[c]);
      }
  });
}

}  // namespace

TG_KERNEL(batch_norm_train, BatchNormArguments)
TG_KERNEL(batch_norm_eval, BatchNormArguments)
TG_KERNEL(batch_norm_backward, BackwardArguments)
