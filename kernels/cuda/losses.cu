// Losses of single numbers over predictions (rows, columns); the formulas are in ../include/losses.h.
//
// Forward writes the weighted losses where they are asked for, and the sums of losses and weights of each piece of PIECE
// elements, which one block then adds: the order of additions depends on the number of elements alone. Moves 8 bytes an
// element in float32 forward, 12 backward; neighbouring threads take neighbouring elements, at any alignment.
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

  __device__ T label(i64 i) const { return integers ? (T)((const i64 *)target)[i] : ((const T *)target)[i]; }
  __device__ T example(i64 i) const { return example_weight ? example_weight[i / columns] : T(1); }
  __device__ ClassWeights<T> classes(i64 i) const {
    if (!class_weight) return {T(1), T(1)};
    const T *pair = class_weight + i % columns * class_stride;
    return {pair[0], pair[1]};
  }
  template <class Loss>
  __device__ bool there(i64 i, T label) const {
    return (!mask || mask[i]) && !Loss::missing(label);
  }
};

#define TG_GIVEN_PARAMETERS                                                                                          \
  const S *x, const void *target, const T *class_weight, const T *example_weight, const unsigned char *mask, i64 count, \
      i64 columns, i64 integers, i64 class_stride
#define TG_GIVEN Given<T>{target, class_weight, example_weight, mask, columns, integers, class_stride}

// pieces: a pair for each piece, the sum of its losses and of its weights; losses may be null
template <class Loss, class T, class S>
__device__ inline void loss_forward(T *losses, T *pieces, const S *x, i64 count, const Given<T> &given) {
  for (i64 piece = blockIdx.x; piece < ceil_div(count, PIECE); piece += gridDim.x) {
    T total = T(0), weights = T(0);
    for (int k = 0; k < PER_THREAD; ++k) {
      const i64 i = piece * PIECE + k * THREADS + threadIdx.x;
      if (i >= count) break;
      const T t = given.label(i), by = given.example(i);
      const ClassWeights<T> classes = given.classes(i);
      const bool there = given.template there<Loss>(i, t);
      const T loss = there ? Loss::loss(T(x[i]), t, classes) * by : T(0);
      total += loss;
      weights += there ? Loss::weight(t, classes) * by : T(0);
      if (losses) losses[i] = loss;
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
  const T losses = team_sum<THREADS, T>(threadIdx.x, count, [=](i64 i) { return pieces[2 * i]; });
  const T sum = team_sum<THREADS, T>(threadIdx.x, count, [=](i64 i) { return pieces[2 * i + 1]; });
  if (threadIdx.x != 0) return;
  const T weights = mean ? divisor(sum) : T(1);
  *inverse = T(1) / weights;
  if (total) *total = losses / weights;
}

// grad: one value, or one for each element where grad_stride is 1
template <class Loss, class T, class S>
__device__ inline void loss_backward(S *dx, const T *grad, const T *inverse, i64 grad_stride, i64 adds, const S *x, i64 count,
                                     const Given<T> &given) {
  const T by = *inverse;
  for (i64 i = thread_number(); i < count; i += thread_count()) {
    const T t = given.label(i), scale = grad[i * grad_stride] * by;
    const T slope = Loss::slope(T(x[i]), t, given.classes(i)) * (scale * given.example(i));
    put(dx + i, given.template there<Loss>(i, t) ? slope : T(0), adds);
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
