// Softmax cross-entropy of logits (N, C) with integer targets (N,). Forward writes each row's loss and probabilities, and
// their sum times `scale` (1 / N for the mean) where `total` is given; backward turns probabilities into the gradient.
// A target outside 0..C-1 gives that row a loss and a gradient of NaN, and reads nothing out of bounds.
#include "../include/softmax.h"
#include "kernel.h"

namespace {

constexpr i64 SOFTMAX_PIECE = 4096;  // elements, in whole rows

inline i64 rows_of_piece(i64 columns) { return columns < SOFTMAX_PIECE ? SOFTMAX_PIECE / columns : 1; }

struct SoftmaxArguments {
  void *total, *losses, *probabilities;  // total may be null
  const void *logits;
  const i64 *target;
  i64 rows, columns;
  double scale;
};

template <class T>
inline T softmax_row(T *__restrict probability, const T *__restrict logit, i64 target, i64 columns) {
  T largest = logit[0], sum = T(0);
  for (i64 c = 1; c < columns; ++c) largest = logit[c] > largest ? logit[c] : largest;
  for (i64 c = 0; c < columns; ++c) probability[c] = softmax_term(logit[c], largest);
  for (i64 c = 0; c < columns; ++c) sum += probability[c];
  for (i64 c = 0; c < columns; ++c) probability[c] /= sum;
  if (target < 0 || target >= columns) return (T)__builtin_nan("");
  return softmax_loss(sum, logit[target], largest);
}

template <class T>
inline void softmax_cross_entropy(const SoftmaxArguments &a) {
  const T *logits = static_cast<const T *>(a.logits);
  T *losses = static_cast<T *>(a.losses), *probabilities = static_cast<T *>(a.probabilities);
  parallel_pieces(a.rows, rows_of_piece(a.columns), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r)
      losses[r] = softmax_row(probabilities + r * a.columns, logits + r * a.columns, a.target[r], a.columns);
  });
  if (!a.total) return;
  T total;
  sum_columns<T>(&total, a.rows, 1, [=](i64 r, i64) { return losses[r]; });
  *static_cast<T *>(a.total) = total * (T)a.scale;
}

struct SoftmaxBackwardArguments {
  void *dlogits;
  const void *grad;  // one value, or one for each row where grad_stride is 1
  const void *probabilities;
  const i64 *target;
  i64 rows, columns, grad_stride;
  double scale;
};

template <class T>
inline void softmax_cross_entropy_backward(const SoftmaxBackwardArguments &a) {
  const T *probabilities = static_cast<const T *>(a.probabilities), *grad = static_cast<const T *>(a.grad);
  T *out = static_cast<T *>(a.dlogits);
  parallel_pieces(a.rows, rows_of_piece(a.columns), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) {
      const i64 row = r * a.columns, target = a.target[r];
      const T g = target < 0 || target >= a.columns ? (T)__builtin_nan("") : grad[r * a.grad_stride] * (T)a.scale;
      for (i64 c = 0; c < a.columns; ++c) out[row + c] = softmax_backward(probabilities[row + c], c == target, g);
    }
  });
}

}  // namespace

TG_KERNEL(softmax_cross_entropy, SoftmaxArguments)
TG_KERNEL(softmax_cross_entropy_backward, SoftmaxBackwardArguments)
