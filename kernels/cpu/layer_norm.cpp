// Layer normalisation of x (N, C) along its rows. As in batch normalisation the mean stays in two parts, the row's first
// value and `delta`, so that a mean that is large beside the deviation costs no digits; delta and inv_std are saved.
#include "../include/batch_norm.h"
#include "kernel.h"

namespace {

constexpr i64 NORM_PIECE = 8192;  // elements, in whole rows

inline i64 norm_rows(i64 columns) { return columns < NORM_PIECE ? NORM_PIECE / columns : 1; }

struct LayerNormArguments {
  void *out, *delta, *inv_std;
  const void *x, *weight, *bias;
  i64 rows, columns;
  double eps;
};

template <class T>
inline void layer_norm(const LayerNormArguments &a) {
  const i64 columns = a.columns;
  const T *weight = static_cast<const T *>(a.weight), *bias = static_cast<const T *>(a.bias);
  T *deltas = static_cast<T *>(a.delta), *inv_stds = static_cast<T *>(a.inv_std);
  parallel_pieces(a.rows, norm_rows(columns), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) {
      const T *x = static_cast<const T *>(a.x) + r * columns, shift = x[0];
      T *out = static_cast<T *>(a.out) + r * columns;
      const T delta = sum<T>(columns, [=](i64 c) { return x[c] - shift; }) / (T)columns;
      const T variance = sum<T>(columns, [=](i64 c) {
                           const T centred = batch_norm_centre(x[c], shift, delta);
                           return centred * centred;
                         }) / (T)columns;
      const T inv_std = batch_norm_inv_std(variance, (T)a.eps);
      for (i64 c = 0; c < columns; ++c) out[c] = tg::batch_norm(x[c], shift, delta, inv_std, weight[c], bias[c]);
      deltas[r] = delta;
      inv_stds[r] = inv_std;
    }
  });
}

struct LayerNormBackwardArguments {
  void *dx, *dweight, *dbias;  // each may be null
  const void *grad, *x, *weight, *delta, *inv_std;
  void *partial;
  i64 rows, columns, piece, accumulate_weight, accumulate_bias;
};

// dx = inv_std (g - mean(g) - n mean(g n)) with g = grad weight and n the normalised value, means along the row.
template <class T>
inline void layer_norm_dx(const LayerNormBackwardArguments &a) {
  const i64 columns = a.columns;
  const T *weight = static_cast<const T *>(a.weight);
  parallel_pieces(a.rows, norm_rows(columns), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) {
      const T *x = static_cast<const T *>(a.x) + r * columns, *grad = static_cast<const T *>(a.grad) + r * columns;
      const T shift = x[0], delta = static_cast<const T *>(a.delta)[r], inv_std = static_cast<const T *>(a.inv_std)[r];
      T *dx = static_cast<T *>(a.dx) + r * columns;
      auto normalised = [=](i64 c) { return batch_norm_centre(x[c], shift, delta) * inv_std; };
      const T mean = sum<T>(columns, [=](i64 c) { return grad[c] * weight[c]; }) / (T)columns;
      const T product = sum<T>(columns, [=](i64 c) { return grad[c] * weight[c] * normalised(c); }) / (T)columns;
      for (i64 c = 0; c < columns; ++c) dx[c] = inv_std * ((grad[c] * weight[c] - mean) - normalised(c) * product);
    }
  });
}

template <class T>
inline void layer_norm_backward(const LayerNormBackwardArguments &a) {
  if (a.dx) layer_norm_dx<T>(a);
  if (!a.dweight && !a.dbias) return;
  const T *x = static_cast<const T *>(a.x), *grad = static_cast<const T *>(a.grad);
  const T *delta = static_cast<const T *>(a.delta), *inv_std = static_cast<const T *>(a.inv_std);
  const i64 columns = a.columns;
  auto sums = [=](T(&total)[2][COLUMNS], i64 row, i64 end, i64 begin, i64 width) TG_INLINED {
    sum_columns(total, row, end, width, [=](i64 r, i64 c, T(&term)[2]) {
      const i64 i = r * columns + begin + c;
      term[0] = grad[i];
      term[1] = grad[i] * (batch_norm_centre(x[i], x[r * columns], delta[r]) * inv_std[r]);
    });
  };
  column_totals<T, 2>({a.partial, a.rows, columns, a.piece}, sums, [&](const T(&total)[2][COLUMNS], i64 begin, i64 width) {
    add_or_save(a.dweight, total[1], begin, width, a.accumulate_weight);  // first: one parameter may be both
    add_or_save(a.dbias, total[0], begin, width, a.accumulate_bias);
  });
}

}  // namespace

TG_KERNEL(layer_norm, LayerNormArguments)
TG_KERNEL(layer_norm_backward, LayerNormBackwardArguments)
