// Layer normalisation of x (N, C) along its rows. As in batch normalisation the mean stays in two parts, the row's first
// value and `delta`; delta and inv_std are saved. A row is read three times, all but the first from a cache.
#include "batch_norm.h"
#include "columns.cuh"
#include "team.cuh"

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
    constexpr int N = Pack<S>::SIZE;
    const S *from = x + r * columns;
    S *to = out + r * columns;
    const bool packs = aligned(from) && aligned(to), beside = aligned(weight) && aligned(bias);
    const T shift = T(from[0]);
    const T delta = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) {
                      Values<T, N> v = read<T, N>(from, c, packs, left);
                      for (int k = 0; k < N; ++k) v.item[k] -= shift;
                      return v;
                    }) / (T)columns;
    const T variance = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) {
                         Values<T, N> v = read<T, N>(from, c, packs, left);
                         for (int k = 0; k < N; ++k) {
                           const T centred = batch_norm_centre(v.item[k], shift, delta);
                           v.item[k] = centred * centred;
                         }
                         return v;
                       }) / (T)columns;
    const T inv_std = batch_norm_inv_std(variance, eps);
    each_pack<LANES, N>(lane, columns, [=](i64 c, i64 left) {
      Values<T, N> v = read<T, N>(from, c, packs, left);
      const Values<T, N> w = read<T, N>(weight, c, beside, left), b = read<T, N>(bias, c, beside, left);
      for (int k = 0; k < N; ++k) v.item[k] = batch_norm(v.item[k], shift, delta, inv_std, w.item[k], b.item[k]);
      write<N>(to, c, v, false, packs, left);
    });
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
    constexpr int N = Pack<S>::SIZE;
    const S *from = x + r * columns, *g = grad + r * columns;
    S *to = dx + r * columns;
    const bool packs = aligned(from) && aligned(g) && aligned(to), beside = aligned(weight);
    const T *w = weight, shift = T(from[0]), delta = deltas[r], inv_std = inv_stds[r];
    auto weighted = [=](i64 c, i64 left) {
      Values<T, N> v = read<T, N>(g, c, packs, left);
      const Values<T, N> by = read<T, N>(w, c, beside, left);
      for (int k = 0; k < N; ++k) v.item[k] *= by.item[k];
      return v;
    };
    auto normalised = [=](i64 c, i64 left) {
      Values<T, N> v = read<T, N>(from, c, packs, left);
      for (int k = 0; k < N; ++k) v.item[k] = batch_norm_centre(v.item[k], shift, delta) * inv_std;
      return v;
    };
    const T mean = team_sum<LANES, N, T>(lane, columns, weighted) / (T)columns;
    const T product = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) {
                        Values<T, N> v = weighted(c, left);
                        const Values<T, N> n = normalised(c, left);
                        for (int k = 0; k < N; ++k) v.item[k] *= n.item[k];
                        return v;
                      }) / (T)columns;
    each_pack<LANES, N>(lane, columns, [=](i64 c, i64 left) {
      Values<T, N> v = weighted(c, left);
      const Values<T, N> n = normalised(c, left);
      for (int k = 0; k < N; ++k) v.item[k] = inv_std * ((v.item[k] - mean) - n.item[k] * product);
      write<N>(to, c, v, adds, packs, left);
    });
  }
};

// partial: the sums of a chunk of grad n, and of grad
template <class T, class S>
__device__ inline void layer_norm_slopes(Sums<T, 2> *partial, const S *grad, const S *x, const T *deltas, const T *inv_stds,
                                         i64 rows, i64 columns, i64 lanes, i64 chunk) {
  constexpr int N = Pack<S>::SIZE;
  const bool packs = aligned(grad) && aligned(x);
  column_partials<S>(partial, rows, columns, lanes, chunk, packs, [=](const Place &at, Sums<T, 2> *total) {
    take_sums<S>(at, total, [=](i64 r, Sums<T, 2> *held) {
      const S *from = x + r * columns;
      const T shift = T(from[0]), delta = deltas[r], inv_std = inv_stds[r];
      const Values<T, N> v = read<T, N>(from, at.column, at.packs, at.left);
      const Values<T, N> g = read<T, N>(grad, r * columns + at.column, at.packs, at.left);
      for (int k = 0; k < N; ++k) {
        held[k].value[0] += g.item[k] * (batch_norm_centre(v.item[k], shift, delta) * inv_std);
        held[k].value[1] += g.item[k];
      }
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
