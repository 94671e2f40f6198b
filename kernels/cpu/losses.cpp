// Losses of single numbers over predictions (rows, columns): forward writes the weighted losses where they are asked for,
// and where `total` is given the sum of the losses times `inverse`, which is 1, or for the mean one over the sum of the
// weights. Sums are taken block by block, then over the blocks of a piece, then over the pieces: their order depends on the
// number of elements alone. Moves 8 bytes an element in float32 forward, 12 backward.
#include "../include/losses.h"
#include "kernel.h"

namespace {

struct LossArguments {
  void *out, *losses, *inverse, *pieces;  // out and losses may be null; backward: out is the gradient. pieces: 2 for each
  const void *x, *target, *class_weight, *example_weight;  // weights may be null
  const unsigned char *mask;                               // may be null: all are there
  const void *grad;                                        // of the backward pass: one value, or one for each element
  i64 rows, columns, piece, integers, class_stride, mean, grad_stride;
};

constexpr i64 LABELS = 512;  // elements of a block: what belongs to them stays in the first cache

// A block of elements as a loss sees them, weights spread out, so that the loops over them vectorise.
template <class T>
struct Labels {
  T target[LABELS], zero[LABELS], one[LABELS], example[LABELS], there[LABELS];

  Labels() {
    for (i64 i = 0; i < LABELS; ++i) zero[i] = one[i] = example[i] = there[i] = T(1);
  }
};

template <class T>
inline void spread_weights(Labels<T> &l, const LossArguments &a, i64 begin, i64 count) {
  const T *classes = static_cast<const T *>(a.class_weight), *examples = static_cast<const T *>(a.example_weight);
  i64 row = begin / a.columns, column = begin % a.columns;
  for (i64 i = 0, end; i < count; i = end, ++row, column = 0) {
    end = i + a.columns - column < count ? i + a.columns - column : count;
    const T *pair = classes + column * a.class_stride;
    if (examples)
      for (i64 j = i; j < end; ++j) l.example[j] = examples[row];
    if (classes)
      for (i64 j = i; j < end; ++j, pair += a.class_stride) l.zero[j] = pair[0], l.one[j] = pair[1];
  }
}

template <class T>
inline void label(Labels<T> &l, const LossArguments &a, i64 begin, i64 count) {
  const T *target = static_cast<const T *>(a.target) + begin;
  const i64 *numbers = static_cast<const i64 *>(a.target) + begin;
  for (i64 i = 0; i < count; ++i) l.target[i] = a.integers ? (T)numbers[i] : target[i];
  if (a.mask)
    for (i64 i = 0; i < count; ++i) l.there[i] = a.mask[begin + i] ? T(1) : T(0);
  if (a.class_weight || a.example_weight) spread_weights(l, a, begin, count);
}

// Runs f(labels, first element, count) over the blocks of begin..end.
template <class T, class F>
inline void each_label(const LossArguments &a, i64 begin, i64 end, const F &f) {
  Labels<T> labels;
  for (; begin < end; begin += LABELS) {
    const i64 count = end - begin < LABELS ? end - begin : LABELS;
    label(labels, a, begin, count);
    f(labels, begin, count);
  }
}

template <class T, class Loss>
inline void loss_of_block(T *__restrict loss, T *__restrict weight, const T *__restrict x, const Labels<T> &l, i64 count) {
  for (i64 i = 0; i < count; ++i) {
    const bool there = (l.there[i] != T(0)) & !Loss::missing(l.target[i]);
    const ClassWeights<T> classes = {l.zero[i], l.one[i]};
    const T value = Loss::loss(x[i], l.target[i], classes) * l.example[i];
    const T share = Loss::weight(l.target[i], classes) * l.example[i];
    loss[i] = there ? value : T(0);
    weight[i] = there ? share : T(0);
  }
}

template <class T, class Loss>
inline void loss_forward(const LossArguments &a) {
  T *losses = static_cast<T *>(a.losses), *pieces = static_cast<T *>(a.pieces), total[2] = {};
  parallel_pieces(a.rows * a.columns, a.piece, [&](i64 begin, i64 end) {
    T sums[2] = {};
    each_label<T>(a, begin, end, [&](const Labels<T> &labels, i64 first, i64 count) {
      T loss[LABELS], weight[LABELS];
      loss_of_block<T, Loss>(loss, weight, static_cast<const T *>(a.x) + first, labels, count);
      if (losses) __builtin_memcpy(losses + first, loss, sizeof(T) * (u64)count);
      sums[0] += sum<T>(count, [&](i64 i) { return loss[i]; });
      sums[1] += sum<T>(count, [&](i64 i) { return weight[i]; });
    });
    for (int k = 0; k < 2; ++k) pieces[2 * (begin / a.piece) + k] = sums[k];
  });
  for (i64 i = 0; i < ceil_div(a.rows * a.columns, a.piece); ++i)
    for (int k = 0; k < 2; ++k) total[k] += pieces[2 * i + k];
  const T weights = a.mean ? divisor(total[1]) : T(1);
  *static_cast<T *>(a.inverse) = T(1) / weights;
  if (a.out) *static_cast<T *>(a.out) = total[0] / weights;
}

template <class T, class Loss>
inline void slope_of_block(T *__restrict out, const T *__restrict x, const T *__restrict scale, const Labels<T> &l, i64 count) {
  for (i64 i = 0; i < count; ++i) {
    const bool there = (l.there[i] != T(0)) & !Loss::missing(l.target[i]);
    const T slope = Loss::slope(x[i], l.target[i], ClassWeights<T>{l.zero[i], l.one[i]}) * (scale[i] * l.example[i]);
    out[i] = there ? slope : T(0);
  }
}

template <class T, class Loss>
inline void loss_backward(const LossArguments &a) {
  const T *grad = static_cast<const T *>(a.grad), inverse = *static_cast<const T *>(a.inverse);
  parallel_pieces(a.rows * a.columns, a.piece, [&](i64 begin, i64 end) {
    each_label<T>(a, begin, end, [&](const Labels<T> &labels, i64 first, i64 count) {
      T scale[LABELS];
      for (i64 i = 0; i < count; ++i) scale[i] = grad[(first + i) * a.grad_stride] * inverse;
      slope_of_block<T, Loss>(static_cast<T *>(a.out) + first, static_cast<const T *>(a.x) + first, scale, labels, count);
    });
  });
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
