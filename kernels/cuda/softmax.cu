// The softmax along rows, its gradient, and the cross-entropy of logits (N, C) with targets (N,), integer, or (N, C), soft; the
// formulas are in ../include/softmax.h. An integer target outside 0..C-1 gives that row a loss and a gradient of NaN, and
// reads nothing out of bounds. A row is read twice, and its result once more, from a cache.
#include "softmax.h"
#include "team.cuh"

using namespace tg;

namespace tg {

// out = exp(x - largest) / total along a row; each lane reads again only what it wrote itself. Where that would have been
// rounded, it computes the exponential once more.
template <int LANES, class O, class S, class T>
__device__ inline void exponential_row(O *out, const S *x, i64 columns, i64 lane, T *largest, T *total) {
  const T top = *largest = team_largest<LANES>(lane, columns, -infinite(T(0)), [=](i64 c) { return T(x[c]); });
  if constexpr (sizeof(O) == sizeof(T)) {
    const T all = *total = team_sum<LANES, T>(lane, columns, [=](i64 c) { return out[c] = exponential(T(x[c]) - top); });
    for (i64 c = lane; c < columns; c += LANES) out[c] /= all;
  } else {
    const T all = *total = team_sum<LANES, T>(lane, columns, [=](i64 c) { return exponential(T(x[c]) - top); });
    for (i64 c = lane; c < columns; c += LANES) out[c] = exponential(T(x[c]) - top) / all;
  }
}

template <class T, class S>
struct Softmax {
  S *out;
  const S *x;
  i64 columns;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    T largest, total;
    exponential_row<LANES>(out + r * columns, x + r * columns, columns, lane, &largest, &total);
  }
};

// dx_k = out_k (grad_k - sum_j grad_j out_j)
template <class T, class S>
struct SoftmaxSlope {
  S *dx;
  const S *grad, *out;
  i64 columns;
  bool adds;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    const S *g = grad + r * columns, *a = out + r * columns;
    const T total = team_sum<LANES, T>(lane, columns, [=](i64 c) { return T(g[c]) * T(a[c]); });
    for (i64 c = lane; c < columns; c += LANES) put(dx + r * columns + c, (T(g[c]) - total) * T(a[c]), adds);
  }
};

// losses: weighted; sums: each row's weight by its classes. The weights may be null.
template <class T, class S>
struct CrossEntropy {
  T *losses, *probabilities, *sums;
  const S *logits;
  const void *target;
  const T *class_weight, *example_weight;
  i64 columns, soft;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    const S *z = logits + r * columns;
    const T *weight = class_weight;
    T largest, total, loss, share;
    exponential_row<LANES>(probabilities + r * columns, z, columns, lane, &largest, &total);
    if (soft) {
      const T *t = (const T *)target + r * columns, log_sum = logarithm(total), top = largest;
      auto term = [=](i64 c) { return weight ? t[c] * weight[c] : t[c]; };
      share = team_sum<LANES, T>(lane, columns, term);
      loss = team_sum<LANES, T>(lane, columns, [=](i64 c) { return soft_term(term(c), log_sum, T(z[c]), top); });
    } else {
      const i64 t = ((const i64 *)target)[r];
      const bool valid = t >= 0 && t < columns;
      share = valid && weight ? weight[t] : T(1);
      loss = valid ? softmax_loss(total, T(z[t]), largest) * share : infinite(T(0)) * T(0);
    }
    if (lane == 0) {
      losses[r] = example_weight ? loss * example_weight[r] : loss;
      sums[r] = share;
    }
  }
};

// inverse: `scale`, or for the mean of weighted losses one over the sum of the weights; total, where it is given: the sum of
// the losses times that. By one block.
template <class T>
__device__ inline void cross_entropy_total(T *total, T *inverse, const T *losses, const T *sums, const T *example_weight,
                                           i64 rows, i64 weighted, T scale) {
  if (blockIdx.x != 0) return;
  const i64 lane = threadIdx.x;
  T by = scale;
  if (weighted)
    by = T(1) / divisor(team_sum<THREADS, T>(
                    lane, rows, [=](i64 r) { return example_weight ? sums[r] * example_weight[r] : sums[r]; }));
  const T loss = team_sum<THREADS, T>(lane, rows, [=](i64 r) { return losses[r]; });
  if (lane != 0) return;
  *inverse = by;
  if (total) *total = loss * by;
}

// grad: one value, or one for each row where grad_stride is 1
template <class T, class S>
struct CrossEntropySlope {
  S *dlogits;
  const T *grad, *probabilities, *sums, *inverse;
  const void *target;
  const T *class_weight, *example_weight;
  i64 columns, soft, grad_stride;
  bool adds;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    const T *a = probabilities + r * columns, share = sums[r];
    S *out = dlogits + r * columns;
    T g = grad[r * grad_stride] * *inverse;
    if (example_weight) g *= example_weight[r];
    if (soft) {
      const T *t = (const T *)target + r * columns;
      for (i64 c = lane; c < columns; c += LANES)
        put(out + c, soft_backward(a[c], class_weight ? t[c] * class_weight[c] : t[c], share, g), adds);
    } else {
      const i64 t = ((const i64 *)target)[r];
      g = t < 0 || t >= columns ? infinite(T(0)) * T(0) : g * share;
      for (i64 c = lane; c < columns; c += LANES) put(out + c, softmax_backward(a[c], c == t, g), adds);
    }
  }
};

}  // namespace tg

TG_GLOBAL(softmax, (S *out, const S *x, i64 rows, i64 columns), each_row(rows, columns, Softmax<T, S>{out, x, columns}))
TG_GLOBAL(softmax_slope, (S *dx, const S *grad, const S *out, i64 rows, i64 columns, i64 adds),
          each_row(rows, columns, SoftmaxSlope<T, S>{dx, grad, out, columns, adds != 0}))
TG_GLOBAL(cross_entropy,
          (T *losses, T *probabilities, T *sums, const S *logits, const void *target, const T *class_weight,
           const T *example_weight, i64 rows, i64 columns, i64 soft),
          each_row(rows, columns, CrossEntropy<T, S>{losses, probabilities, sums, logits, target, class_weight, example_weight,
                                                     columns, soft}))
TG_GLOBAL(cross_entropy_total,
          (T *total, T *inverse, const T *losses, const T *sums, const T *example_weight, i64 rows, i64 weighted, T scale),
          tg::cross_entropy_total(total, inverse, losses, sums, example_weight, rows, weighted, scale))
TG_GLOBAL(cross_entropy_backward,
          (S *dlogits, const T *grad, const T *probabilities, const T *sums, const T *inverse, const void *target,
           const T *class_weight, const T *example_weight, i64 rows, i64 columns, i64 soft, i64 grad_stride, i64 adds),
          each_row(rows, columns, CrossEntropySlope<T, S>{dlogits, grad, probabilities, sums, inverse, target, class_weight,
                                                          example_weight, columns, soft, grad_stride, adds != 0}))
