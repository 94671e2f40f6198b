// Batch normalisation of x (N, C) down its columns, with the tail of ../include/tail.h; the formulas are in
// ../include/batch_norm.h and ../include/moments.h.
//
// Training reads x twice: once for number, mean and squared distances of x - shift (shift: the column's first value), in
// pieces that are merged, so that one pass is as exact as two; once to normalise. Moves 12 bytes an element in float32
// forward and 20 backward, 28 with a tail; in bfloat16 half of that, with statistics and sums in float32. The gradient is
// told from the result, without the mask.
#include "batch_norm.h"
#include "columns.cuh"
#include "moments.h"
#include "tail.cuh"

using namespace tg;

namespace tg {

template <class T, class S>
__device__ inline void batch_norm_moments(Moments<T> *partial, const S *x, i64 rows, i64 columns, i64 lanes, i64 chunk) {
  constexpr int N = Pack<S>::SIZE;
  column_partials<S>(partial, rows, columns, lanes, chunk, aligned(x), [=](const Place &at, Moments<T> *total) {
    const Values<T, N> shift = read<T, N>(x, at.column, at.packs, at.left);
    T held[N][HELD<S>] = {};
    int count = 0;
#pragma unroll
    for (int k = 0; k < HELD<S>; ++k) {
      const i64 row = at.first + k * at.step;
      if (row >= at.end) continue;
      const Values<T, N> v = read<T, N>(x, row * columns + at.column, at.packs, at.left);
      for (int j = 0; j < N; ++j) held[j][k] = v.item[j] - shift.item[j];
      ++count;
    }
    for (int j = 0; j < N; ++j) total[j] = merge(total[j], moments<HELD<S>>(held[j], count));
  });
}

// Saves shift, delta (mean = shift + delta) and inv_std, and moves the running mean and variance.
template <class T, class S>
__device__ inline void batch_norm_train(T *shift, T *delta, T *inv_std, T *running_mean, T *running_var,
                                        const Moments<T> *partial, const S *x, i64 chunks, i64 rows, i64 columns, T fresh,
                                        T stale, T unbias, T eps) {
  for (i64 c = thread_number(); c < columns; c += thread_count()) {
    const Moments<T> all = column_total(partial, chunks, columns, c);
    const T variance = all.m2 / (T)rows;
    shift[c] = T(x[c]);
    delta[c] = all.mean;
    inv_std[c] = batch_norm_inv_std(variance, eps);
    running_mean[c] = stale * running_mean[c] + fresh * (T(x[c]) + all.mean);
    running_var[c] = stale * running_var[c] + fresh * (variance * unbias);
  }
}

// Evaluation: shift = the running mean, delta = 0.
template <class T>
__device__ inline void batch_norm_eval(T *shift, T *delta, T *inv_std, const T *running_mean, const T *running_var,
                                       i64 columns, T eps) {
  for (i64 c = thread_number(); c < columns; c += thread_count()) {
    shift[c] = running_mean[c];
    delta[c] = T(0);
    inv_std[c] = batch_norm_inv_std(running_var[c], eps);
  }
}

template <class T, class S>
struct Normalise {
  const S *x;
  const T *shift, *delta, *inv_std, *weight, *bias;
  __device__ bool in_packs() const {
    return aligned(x) && aligned(shift) && aligned(delta) && aligned(inv_std) && aligned(weight) && aligned(bias);
  }
  template <int N>
  __device__ Values<T, N> at(i64 i, i64 c) const {
    Values<T, N> v = read<T, N>(x, i);
    const Values<T, N> s = read<T, N>(shift, c), d = read<T, N>(delta, c), r = read<T, N>(inv_std, c), w = read<T, N>(weight, c),
                       b = read<T, N>(bias, c);
    for (int k = 0; k < N; ++k)
      v.item[k] = batch_norm(v.item[k], s.item[k], d.item[k], r.item[k], w.item[k], b.item[k]);
    return v;
  }
};

// The gradient before the tail, and the normalised values.
template <class T, class S>
struct Slopes {
  const S *grad, *out, *x;
  const T *shift, *delta, *inv_std;
  i64 kind;
  T slope, scale;

  __device__ bool in_packs() const {
    return aligned(grad) && aligned(out) && aligned(x) && aligned(shift) && aligned(delta) && aligned(inv_std);
  }
  template <int N>
  __device__ Values<T, N> of(i64 i, bool packs = true, i64 left = N) const {
    Values<T, N> g = read<T, N>(grad, i, packs, left);
    if (kind != NOTHING) slope_back(g, read<T, N>(out, i, packs, left), kind, slope, scale);
    return g;
  }
  template <int N>
  __device__ Values<T, N> normalised(i64 i, i64 c, bool packs = true, i64 left = N) const {
    Values<T, N> v = read<T, N>(x, i, packs, left);
    const Values<T, N> s = read<T, N>(shift, c, packs, left), d = read<T, N>(delta, c, packs, left),
                       r = read<T, N>(inv_std, c, packs, left);
    for (int k = 0; k < N; ++k) v.item[k] = batch_norm_centre(v.item[k], s.item[k], d.item[k]) * r.item[k];
    return v;
  }
};

#define TG_SLOPE_PARAMETERS \
  const S *grad, const S *out, const S *x, const T *shift, const T *delta, const T *inv_std, i64 kind, T slope, T scale
#define TG_SLOPES Slopes<T, S>{grad, out, x, shift, delta, inv_std, kind, slope, scale}

// partial: the sums of a chunk's slopes, and of their products with the normalised values
template <class T, class S>
__device__ inline void batch_norm_slopes(Sums<T, 2> *partial, const Slopes<T, S> &s, i64 rows, i64 columns, i64 lanes,
                                         i64 chunk) {
  constexpr int N = Pack<S>::SIZE;
  column_partials<S>(partial, rows, columns, lanes, chunk, s.in_packs(), [=](const Place &at, Sums<T, 2> *total) {
    take_sums<S>(at, total, [=](i64 row, Sums<T, 2> *held) {
      const i64 i = row * columns + at.column;
      const Values<T, N> g = s.template of<N>(i, at.packs, at.left);
      const Values<T, N> n = s.template normalised<N>(i, at.column, at.packs, at.left);
      for (int k = 0; k < N; ++k) {
        held[k].value[0] += g.item[k];
        held[k].value[1] += g.item[k] * n.item[k];
      }
    });
  });
}

// The gradients of weight and bias, where they are wanted, and the means (2, C) that dx needs in training.
template <class T>
__device__ inline void batch_norm_parameters(T *dweight, T *dbias, T *means, const Sums<T, 2> *partial, i64 chunks, i64 rows,
                                             i64 columns, i64 adds_weight, i64 adds_bias) {
  for (i64 c = thread_number(); c < columns; c += thread_count()) {
    const Sums<T, 2> all = column_total(partial, chunks, columns, c);
    if (dweight) put(dweight + c, all.value[1], adds_weight);  // first: one parameter may be both
    if (dbias) put(dbias + c, all.value[0], adds_bias);
    means[c] = all.value[0] / (T)rows;
    means[columns + c] = all.value[1] / (T)rows;
  }
}

// In evaluation (means are null) the batch moves neither mean nor deviation: an x that is not finite spoils no gradient of x.
template <class T, class S>
struct BatchNormSlope {
  const T *weight, *means;
  Slopes<T, S> s;
  i64 columns;

  __device__ bool in_packs() const { return aligned(weight) && aligned(means) && s.in_packs(); }
  template <int N>
  __device__ Values<T, N> at(i64 i, i64 c) const {
    Values<T, N> g = s.template of<N>(i);
    const Values<T, N> w = read<T, N>(weight, c), r = read<T, N>(s.inv_std, c);
    if (means) {
      const Values<T, N> n = s.template normalised<N>(i, c), mean = read<T, N>(means, c), product = read<T, N>(means, columns + c);
      for (int k = 0; k < N; ++k)
        g.item[k] = batch_norm_backward(g.item[k], n.item[k], mean.item[k], product.item[k], w.item[k], r.item[k]);
    } else {
      for (int k = 0; k < N; ++k) g.item[k] *= w.item[k] * r.item[k];
    }
    return g;
  }
};

}  // namespace tg

TG_GLOBAL(batch_norm_moments, (Moments<T> *partial, const S *x, i64 rows, i64 columns, i64 lanes, i64 chunk),
          tg::batch_norm_moments(partial, x, rows, columns, lanes, chunk))
TG_GLOBAL(batch_norm_train,
          (T *shift, T *delta, T *inv_std, T *running_mean, T *running_var, const Moments<T> *partial, const S *x, i64 chunks,
           i64 rows, i64 columns, T fresh, T stale, T unbias, T eps),
          tg::batch_norm_train(shift, delta, inv_std, running_mean, running_var, partial, x, chunks, rows, columns, fresh,
                               stale, unbias, eps))
TG_GLOBAL(batch_norm_eval,
          (T *shift, T *delta, T *inv_std, const T *running_mean, const T *running_var, i64 columns, T eps),
          tg::batch_norm_eval(shift, delta, inv_std, running_mean, running_var, columns, eps))
TG_GLOBAL(batch_norm_normalise,
          (S *out, const S *x, const T *shift, const T *delta, const T *inv_std, const T *weight, const T *bias, i64 count,
           i64 columns, TG_TAIL_PARAMETERS),
          finish(out, count, columns, TG_TAIL_ARGUMENTS, false, Normalise<T, S>{x, shift, delta, inv_std, weight, bias}))
TG_GLOBAL(batch_norm_slopes,
          (Sums<T, 2> *partial, TG_SLOPE_PARAMETERS, i64 rows, i64 columns, i64 lanes, i64 chunk),
          tg::batch_norm_slopes(partial, TG_SLOPES, rows, columns, lanes, chunk))
TG_GLOBAL(batch_norm_parameters,
          (T *dweight, T *dbias, T *means, const Sums<T, 2> *partial, i64 chunks, i64 rows, i64 columns,
           i64 adds_weight, i64 adds_bias),
          tg::batch_norm_parameters(dweight, dbias, means, partial, chunks, rows, columns, adds_weight, adds_bias))
TG_GLOBAL(batch_norm_dx, (S *dx, const T *weight, const T *means, TG_SLOPE_PARAMETERS, i64 count, i64 columns, i64 adds),
          finish(dx, count, columns, no_tail<T>(), adds != 0, BatchNormSlope<T, S>{weight, means, TG_SLOPES, columns}))
