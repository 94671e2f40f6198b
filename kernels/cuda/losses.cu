// Losses of single numbers over predictions (rows, columns); the formulas are in ../include/losses.h.
//
// Forward writes the weighted losses where they are asked for, and the sums of losses and weights of each piece of PIECE
// elements, which one block then adds: the order of additions depends on the number of elements and their dtype alone. Moves
// 8 bytes an element in float32 forward, 12 backward.
#include "losses.h"
#include "team.cuh"

using namespace tg;

namespace tg {

constexpr int PER_THREAD = 8;
constexpr i64 PIECE = PER_THREAD * THREADS;

// What belongs to the predictions: the target (int64 or of type T), and weights and a mask, which may be null. A class weight
// is a pair, of classes 0 and 1, one for all columns (class_stride 0) or one for each (2).
template <class T>
struct Given {
  const void *target;
  const T *class_weight, *example_weight;
  const unsigned char *mask;
  i64 columns, integers, class_stride;

  __device__ bool in_packs() const { return aligned((const T *)target); }
  template <int N>
  __device__ Values<T, N> labels(i64 i, bool packs, i64 left) const {
    return integers ? read<T, N>((const i64 *)target, i, packs, left) : read<T, N>((const T *)target, i, packs, left);
  }
  __device__ ClassWeights<T> classes(i64 column) const {
    if (!class_weight) return {T(1), T(1)};
    const T *pair = class_weight + column * class_stride;
    return {pair[0], pair[1]};
  }
  // Runs f(k, whether it counts, weight of the example, weights of the classes) for the elements i + k, k < N and < left.
  template <class Loss, int N, class F>
  __device__ void each(i64 i, i64 left, const Values<T, N> &label, F f) const {
    const bool weighted = class_weight || example_weight;
    i64 row = weighted ? i / columns : 0, column = i - row * columns;
    for (int k = 0; k < N; ++k) {
      if (k >= left) continue;
      const bool there = (!mask || mask[i + k]) && !Loss::missing(label.item[k]);
      f(k, there, example_weight ? example_weight[row] : T(1), classes(column));
      if (weighted && ++column == columns) ++row, column = 0;
    }
  }
};

#define TG_GIVEN_PARAMETERS                                                                                          \
  const S *x, const void *target, const T *class_weight, const T *example_weight, const unsigned char *mask, i64 count, \
      i64 columns, i64 integers, i64 class_stride
#define TG_GIVEN Given<T>{target, class_weight, example_weight, mask, columns, integers, class_stride}

// pieces: a pair for each piece, the sum of its losses and of its weights; losses may be null
template <class Loss, class T, class S>
__device__ inline void loss_forward(T *losses, T *pieces, const S *x, i64 count, const Given<T> &given) {
  constexpr int N = Pack<S>::SIZE;
  const bool packs = aligned(x) && aligned(losses) && given.in_packs();
  for (i64 piece = blockIdx.x; piece < ceil_div(count, PIECE); piece += gridDim.x) {
    T total = T(0), weights = T(0);
    for (int p = 0; p < PER_THREAD / N; ++p) {
      const i64 i = piece * PIECE + (p * THREADS + threadIdx.x) * N, left = count - i;
      if (left <= 0) break;
      const Values<T, N> v = read<T, N>(x, i, packs, left), t = given.template labels<N>(i, packs, left);
      Values<T, N> loss = {};
      given.template each<Loss>(i, left, t, [&](int k, bool there, T by, ClassWeights<T> classes) {
        loss.item[k] = there ? Loss::loss(v.item[k], t.item[k], classes) * by : T(0);
        total += loss.item[k];
        weights += there ? Loss::weight(t.item[k], classes) * by : T(0);
      });
      if (losses) write<N>(losses, i, loss, false, packs, left);
    }
    auto sum = [](T a, T b) { return a + b; };
    total = team_fold<THREADS>(total, sum);
    weights = team_fold<THREADS>(weights, sum);
    if (threadIdx.x == 0) {
      pieces[2 * piece] = total;
      pieces[2 * piece + 1] = weights;
    }
  }
}

// inverse: 1, or for the mean one over the sum of the weights; total, where it is given: the sum, or the mean. By one block.
template <class T>
__device__ inline void loss_total(T *total, T *inverse, const T *pieces, i64 count, i64 mean) {
  if (blockIdx.x != 0) return;
  const T losses = team_sum<THREADS, 1, T>(threadIdx.x, count, [=](i64 i, i64) { return Values<T, 1>{{pieces[2 * i]}}; });
  const T sum = team_sum<THREADS, 1, T>(threadIdx.x, count, [=](i64 i, i64) { return Values<T, 1>{{pieces[2 * i + 1]}}; });
  if (threadIdx.x != 0) return;
  const T weights = mean ? divisor(sum) : T(1);
  *inverse = T(1) / weights;
  if (total) *total = losses / weights;
}

// grad: one value, or one for each element where grad_stride is 1
template <class Loss, class T, class S>
__device__ inline void loss_backward(S *dx, const T *grad, const T *inverse, i64 grad_stride, i64 adds, const S *x, i64 count,
                                     const Given<T> &given) {
  constexpr int N = Pack<S>::SIZE;
  const bool packs = aligned(dx) && aligned(x) && given.in_packs() && (!grad_stride || aligned(grad));
  const T by = *inverse;
  for (i64 i = thread_number() * N; i < count; i += thread_count() * N) {
    const i64 left = count - i;
    const Values<T, N> v = read<T, N>(x, i, packs, left), t = given.template labels<N>(i, packs, left);
    Values<T, N> g = {};
    if (grad_stride) g = read<T, N>(grad, i, packs, left);
    given.template each<Loss>(i, left, t, [&](int k, bool there, T weight, ClassWeights<T> classes) {
      const T scale = (grad_stride ? g.item[k] : *grad) * by;
      const T slope = Loss::slope(v.item[k], t.item[k], classes) * (scale * weight);
      g.item[k] = there ? slope : T(0);
    });
    write<N>(dx, i, g, adds, packs, left);
  }
}

}  // namespace tg

#define TG_LOSS(name, Loss)                                                                                        \
  TG_GLOBAL(name, (T *losses, T *pieces, TG_GIVEN_PARAMETERS), loss_forward<Loss<T>>(losses, pieces, x, count, TG_GIVEN)) \
  TG_GLOBAL(name##_backward, (S *dx, const T *grad, const T *inverse, i64 grad_stride, i64 adds, TG_GIVEN_PARAMETERS),   \
            loss_backward<Loss<T>>(dx, grad, inverse, grad_stride, adds, x, count, TG_GIVEN))

TG_GLOBAL(loss_total, (T *total, T *inverse, const T *pieces, i64 count, i64 mean),
          tg::loss_total(total, inverse, pieces, count, mean))
TG_LOSS(binary_cross_entropy, BinaryCrossEntropy)
TG_LOSS(mean_squared_error, SquaredError)
TG_LOSS(mean_absolute_error, AbsoluteError)
