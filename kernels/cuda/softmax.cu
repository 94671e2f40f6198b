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
  constexpr int N = Pack<S>::SIZE;
  const bool packs = aligned(out) && aligned(x), kept = sizeof(O) == sizeof(T);
  const T top = *largest = team_largest<LANES, N>(lane, x, columns, packs, -infinite(T(0)));
  auto powers = [=](i64 c, i64 left) {
    Values<T, N> v = read<T, N>(x, c, packs, left);
    for (int k = 0; k < N; ++k) v.item[k] = exponential(v.item[k] - top);
    return v;
  };
  const T all = *total = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) {
    const Values<T, N> v = powers(c, left);
    if (kept) write<N>(out, c, v, false, packs, left);
    return v;
  });
  each_pack<LANES, N>(lane, columns, [=](i64 c, i64 left) {
    Values<T, N> v = kept ? read<T, N>(out, c, packs, left) : powers(c, left);
    for (int k = 0; k < N; ++k) v.item[k] /= all;
    write<N>(out, c, v, false, packs, left);
  });
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
    constexpr int N = Pack<S>::SIZE;
    const S *g = grad + r * columns, *a = out + r * columns;
    S *to = dx + r * columns;
    const bool packs = aligned(g) && aligned(a) && aligned(to);
    const T total = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) {
      Values<T, N> v = read<T, N>(g, c, packs, left);
      const Values<T, N> w = read<T, N>(a, c, packs, left);
      for (int k = 0; k < N; ++k) v.item[k] *= w.item[k];
      return v;
    });
    each_pack<LANES, N>(lane, columns, [=](i64 c, i64 left) {
      Values<T, N> v = read<T, N>(g, c, packs, left);
      const Values<T, N> w = read<T, N>(a, c, packs, left);
      for (int k = 0; k < N; ++k) v.item[k] = (v.item[k] - total) * w.item[k];
      write<N>(to, c, v, adds, packs, left);
    });
  }
};

// A row of soft targets, times the classes' weights where there are some.
template <class T, int N>
struct Targets {
  const T *target, *class_weight;
  bool packs;

  __device__ Targets(const void *targets, const T *weight, i64 first)
      : target((const T *)targets + first), class_weight(weight), packs(aligned(target) && aligned(weight)) {}
  __device__ Values<T, N> at(i64 c, i64 left) const {
    Values<T, N> t = read<T, N>(target, c, packs, left);
    if (class_weight) {
      const Values<T, N> w = read<T, N>(class_weight, c, packs, left);
      for (int k = 0; k < N; ++k) t.item[k] *= w.item[k];
    }
    return t;
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
    constexpr int N = Pack<S>::SIZE;
    const S *z = logits + r * columns;
    T largest, total, loss, share;
    exponential_row<LANES>(probabilities + r * columns, z, columns, lane, &largest, &total);
    if (soft) {
      const Targets<T, N> targets(target, class_weight, r * columns);
      const T log_sum = logarithm(total), top = largest;
      const bool packs = aligned(z);
      share = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) { return targets.at(c, left); });
      loss = team_sum<LANES, N, T>(lane, columns, [=](i64 c, i64 left) {
        Values<T, N> t = targets.at(c, left);
        const Values<T, N> v = read<T, N>(z, c, packs, left);
        for (int k = 0; k < N; ++k) t.item[k] = soft_term(t.item[k], log_sum, v.item[k], top);
        return t;
      });
    } else {
      const i64 t = ((const i64 *)target)[r];
      const bool valid = t >= 0 && t < columns;
      share = valid && class_weight ? class_weight[t] : T(1);
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
  constexpr int N = Pack<T>::SIZE;
  if (blockIdx.x != 0) return;
  const i64 lane = threadIdx.x;
  T by = scale;
  if (weighted) {
    const bool packs = aligned(example_weight);
    by = T(1) / divisor(team_sum<THREADS, N, T>(lane, rows, [=](i64 r, i64 left) {
           Values<T, N> v = read<T, N>(sums, r, true, left);
           if (example_weight) {
             const Values<T, N> w = read<T, N>(example_weight, r, packs, left);
             for (int k = 0; k < N; ++k) v.item[k] *= w.item[k];
           }
           return v;
         }));
  }
  const T loss = team_sum<THREADS, N, T>(lane, rows, [=](i64 r, i64 left) { return read<T, N>(losses, r, true, left); });
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
    constexpr int N = Pack<S>::SIZE;
    const T *a = probabilities + r * columns, share = sums[r];
    S *out = dlogits + r * columns;
    const bool packs = aligned(a) && aligned(out);
    T g = grad[r * grad_stride] * *inverse;
    if (example_weight) g *= example_weight[r];
    if (soft) {
      const Targets<T, N> targets(target, class_weight, r * columns);
      each_pack<LANES, N>(lane, columns, [=](i64 c, i64 left) {
        Values<T, N> v = read<T, N>(a, c, packs, left);
        const Values<T, N> t = targets.at(c, left);
        for (int k = 0; k < N; ++k) v.item[k] = soft_backward(v.item[k], t.item[k], share, g);
        write<N>(out, c, v, adds, packs, left);
      });
    } else {
      const i64 t = ((const i64 *)target)[r];
      g = t < 0 || t >= columns ? infinite(T(0)) * T(0) : g * share;
      each_pack<LANES, N>(lane, columns, [=](i64 c, i64 left) {
        Values<T, N> v = read<T, N>(a, c, packs, left);
        for (int k = 0; k < N; ++k) v.item[k] = softmax_backward(v.item[k], c + k == t, g);
        write<N>(out, c, v, adds, packs, left);
      });
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
