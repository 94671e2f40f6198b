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
  column_partials(partial, rows, columns, lanes, chunk, [=](i64 first, i64 end, i64 step, i64 column) {
    const T shift = T(x[column]);
    T held[HELD];
#pragma unroll
    for (int k = 0; k < HELD; ++k)
      held[k] = first + k * step < end ? T(x[(first + k * step) * columns + column]) - shift : T(0);
    return moments<HELD>(held, (int)least(HELD, ceil_div(end - first, step)));
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
struct Slopes {
  const S *grad, *out, *x;
  const T *shift, *delta, *inv_std;
  i64 kind;
  T slope, scale;

  __device__ T of(i64 i) const {
    return kind == NOTHING ? T(grad[i]) : tail_slope(T(out[i]), T(grad[i]), kind, slope, scale);
  }
  __device__ T normalised(i64 i, i64 c) const { return batch_norm_centre(T(x[i]), shift[c], delta[c]) * inv_std[c]; }
};

#define TG_SLOPE_PARAMETERS \
  const S *grad, const S *out, const S *x, const T *shift, const T *delta, const T *inv_std, i64 kind, T slope, T scale
#define TG_SLOPES Slopes<T, S>{grad, out, x, shift, delta, inv_std, kind, slope, scale}

// partial: the sums of a chunk's slopes, and of their products with the normalised values
template <class T, class S>
__device__ inline void batch_norm_slopes(Sums<T, 2> *partial, const Slopes<T, S> &s, i64 rows, i64 columns, i64 lanes,
                                         i64 chunk) {
  column_partials(partial, rows, columns, lanes, chunk, [=](i64 first, i64 end, i64 step, i64 column) {
    return take_sums<T, 2>(first, end, step, column, [=](i64 row, i64 c, T *sum) {
      const i64 i = row * columns + c;
      const T g = s.of(i);
      sum[0] += g;
      sum[1] += g * s.normalised(i, c);
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
__device__ inline void batch_norm_dx(S *dx, const T *weight, const T *means, const Slopes<T, S> &s, i64 count, i64 columns,
                                     i64 adds) {
  each_four(count, columns, [=](i64, i64 start, const i64 *column) {
    T value[4] = {};
    for (int lane = 0; lane < 4; ++lane) {
      const i64 i = start + lane * PHILOX_W, c = column[lane];
      if (i < count && !means) value[lane] = weight[c] * s.inv_std[c] * s.of(i);
      if (i < count && means)
        value[lane] = batch_norm_backward(s.of(i), s.normalised(i, c), means[c], means[columns + c], weight[c], s.inv_std[c]);
    }
    for (int lane = 0; lane < 4; ++lane)
      if (start + lane * PHILOX_W < count) put(dx + start + lane * PHILOX_W, value[lane], adds);
  });
}

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
          finish(out, count, columns, TG_TAIL_ARGUMENTS, [=](i64 i, i64 c) {
            return batch_norm(T(x[i]), shift[c], delta[c], inv_std[c], weight[c], bias[c]);
          }))
TG_GLOBAL(batch_norm_slopes,
          (Sums<T, 2> *partial, TG_SLOPE_PARAMETERS, i64 rows, i64 columns, i64 lanes, i64 chunk),
          tg::batch_norm_slopes(partial, TG_SLOPES, rows, columns, lanes, chunk))
TG_GLOBAL(batch_norm_parameters,
          (T *dweight, T *dbias, T *means, const Sums<T, 2> *partial, i64 chunks, i64 rows, i64 columns,
           i64 adds_weight, i64 adds_bias),
          tg::batch_norm_parameters(dweight, dbias, means, partial, chunks, rows, columns, adds_weight, adds_bias))
TG_GLOBAL(batch_norm_dx, (S *dx, const T *weight, const T *means, TG_SLOPE_PARAMETERS, i64 count, i64 columns, i64 adds),
          tg::batch_norm_dx(dx, weight, means, TG_SLOPES, count, columns, adds))
