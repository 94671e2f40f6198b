// Softmax cross-entropy of logits (N, C) with targets (N,), integer, or (N, C), soft; and the softmax alone. Forward writes
// each row's weighted loss and probabilities, and where `total` is given the sum of the losses times `inverse`: `scale`, or
// for the mean of weighted losses one over the sum of the weights. Backward turns probabilities into the gradient.
// An integer target outside 0..C-1 gives that row a loss and a gradient of NaN, and reads nothing out of bounds.
#include "../include/softmax.h"
#include "kernel.h"

namespace {

constexpr i64 SOFTMAX_PIECE = 4096;  // elements, in whole rows

inline i64 rows_of_piece(i64 columns) { return columns < SOFTMAX_PIECE ? SOFTMAX_PIECE / columns : 1; }

// The rows from `begin` to `end`, each as exp(x - largest): `largest` and the sums are handed to f(row, largest, sum).
// Exponentials are taken over all of them at once: rows are often shorter than a register.
template <class T, class F>
inline void exponential_rows(T *__restrict out, const T *__restrict x, T *__restrict largest, i64 begin, i64 end,
                             i64 columns, const F &f) {
  for (i64 r = begin; r < end; ++r) {
    const T none = (T)-__builtin_inf(), *row = x + r * columns;
    const T top = largest[r] = fold(columns, none, [=](i64 i) { return row[i]; }, [](T a, T b) { return b > a ? b : a; });
    for (i64 i = r * columns; i < (r + 1) * columns; ++i) out[i] = x[i] - top;
  }
  for (i64 i = begin * columns; i < end * columns; ++i) out[i] = tg::exponential(out[i]);
  for (i64 r = begin; r < end; ++r) {
    T *row = out + r * columns;
    const T total = sum<T>(columns, [=](i64 i) { return row[i]; });
    for (i64 c = 0; c < columns; ++c) row[c] /= total;
    f(r, largest[r], total);
  }
}

struct SoftmaxLossArguments {
  void *total, *losses, *probabilities, *sums, *inverse;  // total may be null; sums: each row's weight by its classes
  const void *logits;
  const void *target, *class_weight, *example_weight;  // weights may be null
  i64 rows, columns, soft, mean;
  double scale;
};

template <class T>
inline T soft_loss(const T *target, const T *weight, const T *logits, T log_sum, T largest, i64 columns, T *weights) {
  T loss = T(0), all = T(0);
  for (i64 c = 0; c < columns; ++c) {
    const T t = weight ? target[c] * weight[c] : target[c];
    all += t;
    loss += soft_term(t, log_sum, logits[c], largest);
  }
  *weights = all;
  return loss;
}

template <class T>
inline void softmax_cross_entropy(const SoftmaxLossArguments &a) {
  const i64 columns = a.columns, *classes = static_cast<const i64 *>(a.target);
  const T *logits = static_cast<const T *>(a.logits), *soft = static_cast<const T *>(a.target);
  const T *weight = static_cast<const T *>(a.class_weight), *example = static_cast<const T *>(a.example_weight);
  T *losses = static_cast<T *>(a.losses), *sums = static_cast<T *>(a.sums);
  parallel_pieces(a.rows, rows_of_piece(columns), [&](i64 begin, i64 end) {
    T *probabilities = static_cast<T *>(a.probabilities);
    exponential_rows(probabilities, logits, losses, begin, end, columns, [&](i64 r, T largest, T total) {
      const T *row = logits + r * columns;
      if (a.soft) {
        losses[r] = soft_loss(soft + r * columns, weight, row, tg::logarithm(total), largest, columns, sums + r);
      } else {
        const i64 target = classes[r];
        const bool valid = target >= 0 && target < columns;
        sums[r] = valid && weight ? weight[target] : T(1);
        losses[r] = valid ? softmax_loss(total, row[target], largest) * sums[r] : (T)__builtin_nan("");
      }
      if (example) losses[r] *= example[r];
    });
  });
  T all = (T)a.rows;
  if (a.mean && (weight || example))
    all = sum<T>(a.rows, [=](i64 r) { return weight && example ? sums[r] * example[r] : weight ? sums[r] : example[r]; });
  T *inverse = static_cast<T *>(a.inverse);
  *inverse = a.mean && (weight || example) ? T(1) / divisor(all) : (T)a.scale;
  if (!a.total) return;
  *static_cast<T *>(a.total) = sum<T>(a.rows, [=](i64 r) { return losses[r]; }) * *inverse;
}

struct SoftmaxLossBackwardArguments {
  void *dlogits;
  const void *grad;  // one value, or one for each row where grad_stride is 1
  const void *probabilities, *sums, *inverse;
  const void *target, *class_weight, *example_weight;
  i64 rows, columns, soft, grad_stride;
};

template <class T>
inline void softmax_cross_entropy_backward(const SoftmaxLossBackwardArguments &a) {
  const i64 columns = a.columns;
  const T *probabilities = static_cast<const T *>(a.probabilities), *grad = static_cast<const T *>(a.grad);
  const T *sums = static_cast<const T *>(a.sums), inverse = *static_cast<const T *>(a.inverse);
  const T *weight = static_cast<const T *>(a.class_weight), *example = static_cast<const T *>(a.example_weight);
  parallel_pieces(a.rows, rows_of_piece(columns), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) {
      const T *row = probabilities + r * columns;
      T *out = static_cast<T *>(a.dlogits) + r * columns;
      T g = grad[r * a.grad_stride] * inverse;
      if (example) g *= example[r];
      if (a.soft) {
        const T *target = static_cast<const T *>(a.target) + r * columns;
        for (i64 c = 0; c < columns; ++c)
          out[c] = soft_backward(row[c], weight ? target[c] * weight[c] : target[c], sums[r], g);
      } else {
        const i64 target = static_cast<const i64 *>(a.target)[r];
        g = target < 0 || target >= columns ? (T)__builtin_nan("") : g * sums[r];
        for (i64 c = 0; c < columns; ++c) out[c] = softmax_backward(row[c], c == target, g);
      }
    }
  });
}

struct SoftmaxArguments {
  void *out, *largest;
  const void *x;
  i64 rows, columns;
};

template <class T>
inline void softmax(const SoftmaxArguments &a) {
  parallel_pieces(a.rows, rows_of_piece(a.columns), [&](i64 begin, i64 end) {
    exponential_rows(static_cast<T *>(a.out), static_cast<const T *>(a.x), static_cast<T *>(a.largest), begin, end,
                     a.columns, [](i64, T, T) {});
  });
}

struct SoftmaxSlopeArguments {
  void *dx;
  const void *grad, *out;
  i64 rows, columns;
};

// dx_k = out_k (grad_k - sum_j grad_j out_j)
template <class T>
inline void softmax_slope(const SoftmaxSlopeArguments &a) {
  parallel_pieces(a.rows, rows_of_piece(a.columns), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) {
      const T *grad = static_cast<const T *>(a.grad) + r * a.columns, *out = static_cast<const T *>(a.out) + r * a.columns;
      T *dx = static_cast<T *>(a.dx) + r * a.columns;
      const T total = sum<T>(a.columns, [=](i64 c) { return grad[c] * out[c]; });
      for (i64 c = 0; c < a.columns; ++c) dx[c] = (grad[c] - total) * out[c];
    }
  });
}

}  // namespace

TG_KERNEL(softmax_cross_entropy, SoftmaxLossArguments)
TG_KERNEL(softmax_cross_entropy_backward, SoftmaxLossBackwardArguments)
TG_KERNEL(softmax, SoftmaxArguments)
TG_KERNEL(softmax_slope, SoftmaxSlopeArguments)
