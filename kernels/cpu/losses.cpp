// Losses of single numbers over predictions (rows, columns): forward writes the weighted losses, their weights, and where
// `total` is given the sum of the losses times `inverse`, which is 1, or for the mean one over the sum of the weights.
// Sums are taken piece by piece, then over the pieces: their order depends on the number of elements alone.
#include "../include/losses.h"
#include "kernel.h"

namespace {

struct LossArguments {
  void *out, *losses, *weights, *inverse, *pieces;  // out may be null: the total; or the gradient. pieces: 2 per PIECE
  const void *x, *target, *class_weight, *example_weight;  // weights may be null
  const unsigned char *mask;                               // may be null: all are there
  const void *grad;                                        // of the backward pass: one value, or one for each element
  i64 rows, columns, integers, class_stride, mean, grad_stride;
};

// One element as a loss sees it.
template <class T>
struct Labelled {
  T target, example;
  ClassWeights<T> classes;
  bool there;
};

template <class T, class Loss, class Target>
inline Labelled<T> labelled(const LossArguments &a, i64 i) {
  const T t = (T) static_cast<const Target *>(a.target)[i];
  const i64 row = a.columns == 1 ? i : i / a.columns, column = i - row * a.columns;
  const T *classes = static_cast<const T *>(a.class_weight), *examples = static_cast<const T *>(a.example_weight);
  const T *pair = classes + column * a.class_stride;
  return {t, examples ? examples[row] : T(1), classes ? ClassWeights<T>{pair[0], pair[1]} : ClassWeights<T>{T(1), T(1)},
          (!a.mask || a.mask[i]) && !Loss::missing(t)};
}

template <class T, class Loss, class Target>
inline void loss_pieces(const LossArguments &a) {
  const T *x = static_cast<const T *>(a.x);
  T *losses = static_cast<T *>(a.losses), *weights = static_cast<T *>(a.weights), *pieces = static_cast<T *>(a.pieces);
  parallel_pieces(a.rows * a.columns, PIECE, [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      const Labelled<T> l = labelled<T, Loss, Target>(a, i);
      losses[i] = l.there ? Loss::loss(x[i], l.target, l.classes) * l.example : T(0);
      weights[i] = l.there ? Loss::weight(l.target, l.classes) * l.example : T(0);
    }
    pieces[2 * (begin / PIECE)] = sum<T>(end - begin, [=](i64 i) { return losses[begin + i]; });
    pieces[2 * (begin / PIECE) + 1] = sum<T>(end - begin, [=](i64 i) { return weights[begin + i]; });
  });
}

template <class T, class Loss>
inline void loss_forward(const LossArguments &a) {
  a.integers ? loss_pieces<T, Loss, i64>(a) : loss_pieces<T, Loss, T>(a);
  const T *pieces = static_cast<const T *>(a.pieces);
  T loss = T(0), weight = T(0);
  for (i64 i = 0; i < ceil_div(a.rows * a.columns, PIECE); ++i) {
    loss += pieces[2 * i];
    weight += pieces[2 * i + 1];
  }
  T *inverse = static_cast<T *>(a.inverse);
  *inverse = a.mean ? T(1) / weight : T(1);
  if (a.out) *static_cast<T *>(a.out) = a.mean ? loss / weight : loss;
}

template <class T, class Loss, class Target>
inline void loss_slopes(const LossArguments &a) {
  const T *x = static_cast<const T *>(a.x), *grad = static_cast<const T *>(a.grad);
  const T inverse = *static_cast<const T *>(a.inverse);
  T *out = static_cast<T *>(a.out);
  parallel_pieces(a.rows * a.columns, PIECE, [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      const Labelled<T> l = labelled<T, Loss, Target>(a, i);
      const T scale = grad[i * a.grad_stride] * inverse * l.example;
      out[i] = l.there ? Loss::slope(x[i], l.target, l.classes) * scale : T(0);
    }
  });
}

template <class T, class Loss>
inline void loss_backward(const LossArguments &a) {
  a.integers ? loss_slopes<T, Loss, i64>(a) : loss_slopes<T, Loss, T>(a);
}

#define TG_LOSS(name, Loss)                                                                              \
  template <class T>                                                                                     \
  inline void name(const LossArguments &a) { loss_forward<T, Loss<T>>(a); }                              \
  template <class T>                                                                                     \
  inline void name##_backward(const LossArguments &a) { loss_backward<T, Loss<T>>(a); }

TG_LOSS(binary_cross_entropy, BinaryCrossEntropy)
TG_LOSS(mean_squared_error, SquaredError)
TG_LOSS(mean_absolute_error, AbsoluteError)

}  // namespace

TG_KERNEL(binary_cross_entropy, LossArguments)
TG_KERNEL(binary_cross_entropy_backward, LossArguments)
TG_KERNEL(mean_squared_error, LossArguments)
TG_KERNEL(mean_squared_error_backward, LossArguments)
TG_KERNEL(mean_absolute_error, LossArguments)
TG_KERNEL(mean_absolute_error_backward, LossArguments)
