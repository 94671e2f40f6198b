// Layer normalisation of x (N, C) along its rows. As in batch normalisation the mean stays in two parts, the row's first
// value and `delta`; delta and inv_std are saved. A row is read three times, all but the first from a cache.
#include "batch_norm.h"
#include "columns.cuh"

using namespace tg;

namespace tg {

template <class T, class S>
struct LayerNorm {
  S *out;
  T *deltas, *inv_stds;
  const S *x;
  const T *weight, *bias;
  i64 columns;
  T eps;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    const S *from = x + r * columns;
    const T shift = T(from[0]);
    const T delta = team_sum<LANES, T>(lane, columns, [=](i64 c) { return T(from[c]) - shift; }) / (T)columns;
    const T variance = team_sum<LANES, T>(lane, columns, [=](i64 c) {
                         const T centred = batch_norm_centre(T(from[c]), shift, delta);
                         return centred * centred;
                       }) / (T)columns;
    const T inv_std = batch_norm_inv_std(variance, eps);
    for (i64 c = lane; c < columns; c += LANES)
      out[r * columns + c] = batch_norm(T(from[c]), shift, delta, inv_std, weight[c], bias[c]);
    if (lane == 0) {
      deltas[r] = delta;
      inv_stds[r] = inv_std;
    }
  }
};

// dx = inv_std (g - mean(g) - n mean(g n)) with g = grad weight and n the normalised value, means along the row.
template <class T, class S>
struct LayerNormSlope {
  S *dx;
  const S *grad, *x;
  const T *weight, *deltas, *inv_stds;
  i64 columns;
  bool adds;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    const S *from = x + r * columns, *g = grad + r * columns;
    const T *w = weight, shift = T(from[0]), delta = deltas[r], inv_std = inv_stds[r];
    auto normalised = [=](i64 c) { return batch_norm_centre(T(from[c]), shift, delta) * inv_std; };
    auto weighted = [=](i64 c) { return T(g[c]) * w[c]; };
    const T mean = team_sum<LANES, T>(lane, columns, weighted) / (T)columns;
    const T product =
        team_sum<LANES, T>(lane, columns, [=](i64 c) { return weighted(c) * normalised(c); }) / (T)columns;
    for (i64 c = lane; c < columns; c += LANES)
      put(dx + r * columns + c, inv_std * ((weighted(c) - mean) - normalised(c) * product), adds);
  }
};

// partial: the sums of a chunk of grad n, and of grad
template <class T, class S>
__device__ inline void layer_norm_slopes(Sums<T, 2> *partial, const S *grad, const S *x, const T *deltas, const T *inv_stds,
                                         i64 rows, i64 columns, i64 lanes, i64 chunk) {
  column_partials(partial, rows, columns, lanes, chunk, [=](i64 first, i64 end, i64 step, i64 column) {
    return take_sums<T, 2>(first, end, step, column, [=](i64 r, i64 c, T *sum) {
      const S *from = x + r * columns;
      const T g = T(grad[r * columns + c]);
      sum[0] += g * (batch_norm_centre(T(from[c]), T(from[0]), deltas[r]) * inv_stds[r]);
      sum[1] += g;
    });
  });
}

template <class T>
__device__ inline void layer_norm_parameters(T *dweight, T *dbias, const Sums<T, 2> *partial, i64 chunks, i64 columns,
                                             i64 adds_weight, i64 adds_bias) {
  for (i64 c = thread_number(); c < columns; c += thread_count()) {
    const Sums<T, 2> all = column_total(partial, chunks, columns, c);
    if (dweight) put(dweight + c, all.value[0], adds_weight);  // first: one parameter may be both
    if (dbias) put(dbias + c, all.value[1], adds_bias);
  }
}

}  // namespace tg

TG_GLOBAL(layer_norm,
          (S *out, T *delta, T *inv_std, const S *x, const T *weight, const T *bias, i64 rows, i64 columns, T eps),
          each_row(rows, columns, LayerNorm<T, S>{out, delta, inv_std, x, weight, bias, columns, eps}))
TG_GLOBAL(layer_norm_dx,
          (S *dx, const S *grad, const S *x, const T *weight, const T *delta, const T *inv_std, i64 rows, i64 columns,
           i64 adds),
          each_row(rows, columns, LayerNormSlope<T, S>{dx, grad, x, weight, delta, inv_std, columns, adds != 0}))
TG_GLOBAL(layer_norm_slopes,
          (Sums<T, 2> *partial, const S *grad, const S *x, const T *delta, const T *inv_std, i64 rows, i64 columns, i64 lanes,
           i64 chunk),
          tg::layer_norm_slopes(partial, grad, x, delta, inv_std, rows, columns, lanes, chunk))
TG_GLOBAL(layer_norm_parameters,
          (T *dweight, T *dbias, const Sums<T, 2> *partial, i64 chunks, i64 columns, i64 adds_weight, i64 adds_bias),
          tg::layer_norm_parameters(dweight, dbias, partial, chunks, columns, adds_weight, adds_bias))
