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

// f over x[0..n) from `start`, in an order that depends on n alone: one by one where n is small, else as 16 partial results,
// which vectorise, and a tree of these.
template <class T, class F>
inline T fold(const T *x, i64 n, T start, const F &f) {
  constexpr i64 PARTS = 16;
  if (n < 2 * PARTS) {
    for (i64 i = 0; i < n; ++i) start = f(start, x[i]);
    return start;
  }
  T part[PARTS];
  for (i64 j = 0; j < PARTS; ++j) part[j] = start;
  i64 i = 0;
  for (; i + PARTS <= n; i += PARTS)
    for (i64 j = 0; j < PARTS; ++j) part[j] = f(part[j], x[i + j]);
  for (i64 j = 0; i + j < n; ++j) part[j] = f(part[j], x[i + j]);
  for (i64 width = PARTS / 2; width > 0; width /= 2)
    for (i64 j = 0; j < width; ++j) part[j] = f(part[j], part[j + width]);
  return part[0];
}

// The rows from `begin` to `end`. Exponentials are taken over all of them at once: rows are often shorter than a register.
template <class T>
inline void softmax_rows(const SoftmaxArguments &a, i64 begin, i64 end) {
  const i64 columns = a.columns;
  const T *__restrict logits = static_cast<const T *>(a.logits);
  T *__restrict probabilities = static_cast<T *>(a.probabilities), *__restrict losses = static_cast<T *>(a.losses);
  for (i64 r = begin; r < end; ++r) {
    const T none = (T)-__builtin_inf(), *row = logits + r * columns;
    const T largest = losses[r] = fold(row, columns, none, [](T a, T b) { return b > a ? b : a; });
    for (i64 i = r * columns; i < (r + 1) * columns; ++i) probabilities[i] = logits[i] - largest;
  }
  for (i64 i = begin * columns; i < end * columns; ++i) probabilities[i] = tg::exponential(probabilities[i]);
  for (i64 r = begin; r < end; ++r) {
    T *row = probabilities + r * columns;
    const T sum = fold(row, columns, T(0), [](T a, T b) { return a + b; });
    for (i64 c = 0; c < columns; ++c) row[c] /= sum;
    const i64 target = a.target[r];
    const bool valid = target >= 0 && target < columns;
    losses[r] = valid ? softmax_loss(sum, logits[r * columns + target], losses[r]) : (T)__builtin_nan("");
  }
}

template <class T>
inline void softmax_cross_entropy(const SoftmaxArguments &a) {
  parallel_pieces(a.rows, rows_of_piece(a.columns), [&](i64 begin, i64 end) { softmax_rows<T>(a, begin, end); });
  if (!a.total) return;
  const T *losses = static_cast<const T *>(a.losses);
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
