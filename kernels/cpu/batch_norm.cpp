// Batch normalisation of x (N, C) down its columns, 64 columns to a tile: the passes over a tile find it in the cache. Where
// columns are few and rows many, tiles are pieces of the rows too, and each pass is over all of them before the next.
//
// Training: mean and variance in two passes over x - shift, shift being the column's first value, so that a mean that is
// large beside the deviation costs no digits. Saves shift, delta (mean = shift + delta) and inv_std for the gradient.
// The tail's activation and dropout run over rows of a tile as they are written; the gradient finds them in the result: that
// of a ReLU here, that of another activation was taken before (tail_backward).
#include "../include/batch_norm.h"
#include "tail.h"

namespace {

struct BatchNormArguments {
  void *out, *shift, *delta, *inv_std;
  const void *x, *weight, *bias;
  void *running_mean, *running_var;
  const i64 *cell;
  Split split;
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

template <class T, class Arguments>
inline void load_statistics(Columns<T> &s, const Arguments &a, i64 begin, i64 width) {
  load(s.shift, a.shift, begin, width);
  load(s.delta, a.delta, begin, width);
  load(s.inv_std, a.inv_std, begin, width);
  load(s.weight, a.weight, begin, width);
}

template <class T>
TG_INLINE void mean_sums(T (&total)[1][COLUMNS], const BatchNormArguments &a, i64 row, i64 end, i64 begin, i64 width) {
  const T *x = static_cast<const T *>(a.x) + begin;
  const i64 columns = a.split.columns;
  T shift[COLUMNS];
  load(shift, x, 0, width);
  sum_columns(total, row, end, width, [&](i64 r, i64 c, T(&term)[1]) { term[0] = x[r * columns + c] - shift[c]; });
}

template <class T>
inline void save_mean(const BatchNormArguments &a, const T (&total)[1][COLUMNS], i64 begin, i64 width) {
  const T *x = static_cast<const T *>(a.x) + begin;
  T delta[COLUMNS];
  for (i64 c = 0; c < width; ++c) delta[c] = total[0][c] / (T)a.split.rows;
  save(a.shift, x, begin, width);
  save(a.delta, delta, begin, width);
}

template <class T>
TG_INLINE void square_sums(T (&total)[1][COLUMNS], const BatchNormArguments &a, i64 row, i64 end, i64 begin, i64 width) {
  const T *x = static_cast<const T *>(a.x) + begin;
  const i64 columns = a.split.columns;
  T shift[COLUMNS], delta[COLUMNS];
  load(shift, a.shift, begin, width);
  load(delta, a.delta, begin, width);
  sum_columns(total, row, end, width, [&](i64 r, i64 c, T(&term)[1]) {
    const T centred = batch_norm_centre(x[r * columns + c], shift[c], delta[c]);
    term[0] = centred * centred;
  });
}

template <class T>
inline void save_deviation(const BatchNormArguments &a, const T (&total)[1][COLUMNS], i64 begin, i64 width) {
  T *mean = static_cast<T *>(a.running_mean) + begin, *var = static_cast<T *>(a.running_var) + begin;
  const T *shift = static_cast<const T *>(a.shift) + begin, *delta = static_cast<const T *>(a.delta) + begin;
  const double rows = (double)a.split.rows;
  const T fresh = (T)a.momentum, stale = (T)(1 - a.momentum), unbias = (T)(rows / (rows - 1));
  T inv_std[COLUMNS];
  for (i64 c = 0; c < width; ++c) {
    const T variance = total[0][c] / (T)a.split.rows;
    inv_std[c] = batch_norm_inv_std(variance, (T)a.eps);
    mean[c] = stale * mean[c] + fresh * (shift[c] + delta[c]);
    var[c] = stale * var[c] + fresh * (variance * unbias);
  }
  save(a.inv_std, inv_std, begin, width);
}

template <class T>
TG_INLINE void normalise(const BatchNormArguments &a, const Tail &tail, i64 row, i64 end, i64 begin, i64 width) {
  const T *x = static_cast<const T *>(a.x);
  T *out = static_cast<T *>(a.out);
  const i64 columns = a.split.columns;
  Columns<T> s;
  load_statistics(s, a, begin, width);
  load(s.bias, a.bias, begin, width);
  finish_rows(out, columns, row, end - row, begin, width, tail, *a.cell + tail.mask.offset, [&](i64 r) TG_INLINED {
    for (i64 c = 0; c < width; ++c) {
      const i64 i = r * columns + begin + c;
      out[i] = tg::batch_norm(x[i], s.shift[c], s.delta[c], s.inv_std[c], s.weight[c], s.bias[c]);
    }
  });
}

template <class T>
inline void drop_later(const BatchNormArguments &a, const Tail &tail) {
  const i64 step = *a.cell + tail.mask.offset;
  drop_later(static_cast<T *>(a.out), a.split.rows * a.split.columns, a.tail, tail, step);
}

template <class T>
inline void batch_norm_train(const BatchNormArguments &a) {
  const Tail tail = in_tile(a.tail, a.split.columns, COLUMNS);
  auto means = [&](auto &total, auto... tile) TG_INLINED { mean_sums<T>(total, a, tile...); };
  auto squares = [&](auto &total, auto... tile) TG_INLINED { square_sums<T>(total, a, tile...); };
  auto save_means = [&](const auto &total, i64 begin, i64 width) { save_mean<T>(a, total, begin, width); };
  auto save_deviations = [&](const auto &total, i64 begin, i64 width) { save_deviation<T>(a, total, begin, width); };
  if (a.split.partial) {
    column_totals<T, 1>(a.split, means, save_means);
    column_totals<T, 1>(a.split, squares, save_deviations);
    parallel_tiles(a.split, [&](auto... tile) TG_INLINED { normalise<T>(a, tail, tile...); });
  } else {
    parallel_columns(a.split.columns, [&](i64 begin, i64 width) TG_INLINED {
      T total[1][COLUMNS];
      means(total, i64(0), a.split.rows, begin, width);
      save_means(total, begin, width);
      squares(total, i64(0), a.split.rows, begin, width);
      save_deviations(total, begin, width);
      normalise<T>(a, tail, 0, a.split.rows, begin, width);
    });
  }
  drop_later<T>(a, tail);
}

// Evaluation: shift = the running mean, delta = 0, both saved like the training pass's for the gradient.
template <class T>
inline void batch_norm_eval(const BatchNormArguments &a) {
  const Tail tail = in_tile(a.tail, a.split.columns, COLUMNS);
  const T *mean = static_cast<const T *>(a.running_mean), *variance = static_cast<const T *>(a.running_var);
  T *shift = static_cast<T *>(a.shift), *delta = static_cast<T *>(a.delta), *inv_std = static_cast<T *>(a.inv_std);
  for (i64 c = 0; c < a.split.columns; ++c) {
    shift[c] = mean[c];
    delta[c] = T(0);
    inv_std[c] = batch_norm_inv_std(variance[c], (T)a.eps);
  }
  parallel_tiles(a.split, [&](auto... tile) TG_INLINED { normalise<T>(a, tail, tile...); });
  drop_later<T>(a, tail);
}

struct BackwardArguments {
  void *dx, *dweight, *dbias;                                     // each may be null
  const void *grad, *out, *x, *weight, *shift, *delta, *inv_std;  // out: after a ReLU, else null
  void *means;                                                    // (2, columns): scratch
  Split split;
  i64 training, accumulate_weight, accumulate_bias;
  double scale;  // of dropout after the ReLU, or 1
};

// The sums of the gradient after the tail, and of its products with the normalised values.
template <int KIND, class T>
TG_INLINE void gradient_sums(T (&total)[2][COLUMNS], const BackwardArguments &a, i64 row, i64 end, i64 begin, i64 width) {
  const T *grad = static_cast<const T *>(a.grad) + begin, *x = static_cast<const T *>(a.x) + begin;
  const T *out = KIND == NOTHING ? grad : static_cast<const T *>(a.out) + begin;
  const T scale = (T)a.scale;
  const i64 columns = a.split.columns;
  Columns<T> s;
  load_statistics(s, a, begin, width);
  sum_columns(total, row, end, width, [&](i64 r, i64 c, T(&term)[2]) {
    const i64 i = r * columns + c;
    term[0] = tg::tail_backward<KIND>(out[i], grad[i], T(0), scale);
    term[1] = term[0] * (batch_norm_centre(x[i], s.shift[c], s.delta[c]) * s.inv_std[c]);
  });
}

template <class T>
inline void save_sums(const BackwardArguments &a, const T (&total)[2][COLUMNS], i64 begin, i64 width) {
  add_or_save(a.dweight, total[1], begin, width, a.accumulate_weight);  // first: one parameter may be both
  add_or_save(a.dbias, total[0], begin, width, a.accumulate_bias);
  T *means = static_cast<T *>(a.means) + begin;
  for (int k = 0; k < 2; ++k)
    for (i64 c = 0; c < width; ++c) means[k * a.split.columns + c] = total[k][c] / (T)a.split.rows;
}

// In evaluation the batch moves neither mean nor deviation: an x that is not finite spoils no gradient of x.
template <int KIND, class T>
TG_INLINE void gradient(T *__restrict dx, const BackwardArguments &a, i64 row, i64 end, i64 begin, i64 width) {
  const T *grad = static_cast<const T *>(a.grad) + begin, *x = static_cast<const T *>(a.x) + begin;
  const T *out = KIND == NOTHING ? grad : static_cast<const T *>(a.out) + begin;
  const T scale = (T)a.scale;
  const i64 columns = a.split.columns;
  Columns<T> s;
  const bool training = a.training;
  T mean[COLUMNS], product[COLUMNS];
  load_statistics(s, a, begin, width);
  load(mean, a.means, begin, width);
  load(product, a.means, columns + begin, width);
  for (i64 r = row; r < end; ++r)
    for (i64 c = 0; c < width; ++c) {
      const i64 i = r * columns + c;
      const T g = tg::tail_backward<KIND>(out[i], grad[i], T(0), scale);
      if (!training) {
        dx[begin + i] = s.weight[c] * s.inv_std[c] * g;
        continue;
      }
      const T normalised = batch_norm_centre(x[i], s.shift[c], s.delta[c]) * s.inv_std[c];
      dx[begin + i] = tg::batch_norm_backward(g, normalised, mean[c], product[c], s.weight[c], s.inv_std[c]);
    }
}

template <int KIND, class T>
inline void batch_norm_backward_of(const BackwardArguments &a) {
  T *dx = static_cast<T *>(a.dx);
  auto sums = [&](auto &total, auto... tile) TG_INLINED { gradient_sums<KIND, T>(total, a, tile...); };
  auto done = [&](const auto &total, i64 begin, i64 width) { save_sums<T>(a, total, begin, width); };
  if (a.split.partial) {
    column_totals<T, 2>(a.split, sums, done);
    if (dx) parallel_tiles(a.split, [&](auto... tile) TG_INLINED { gradient<KIND, T>(dx, a, tile...); });
  } else {
    parallel_columns(a.split.columns, [&](i64 begin, i64 width) TG_INLINED {
      T total[2][COLUMNS];
      sums(total, i64(0), a.split.rows, begin, width);
      done(total, begin, width);
      if (dx) gradient<KIND, T>(dx, a, 0, a.split.rows, begin, width);
    });
  }
}

template <class T>
inline void batch_norm_backward(const BackwardArguments &a) {
  a.out ? batch_norm_backward_of<RELU, T>(a) : batch_norm_backward_of<NOTHING, T>(a);
}

}  // namespace

TG_KERNEL(batch_norm_train, BatchNormArguments)
TG_KERNEL(batch_norm_eval, BatchNormArguments)
TG_KERNEL(batch_norm_backward, BackwardArguments)
