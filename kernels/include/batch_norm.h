// Batch normalisation, one element of a column with mean `shift + delta` and inverse deviation `inv_std`:
//
//   centred = (x - shift) - delta,   y = (centred inv_std) weight + bias
//
// The mean stays in two parts, a value of the column itself and the mean distance from it: x - shift is then nearly exact
// where the column's mean is large beside its deviation, and the rounding of the mean to T never enters.
// Ioffe and Szegedy 2015, algorithm 1; the gradient is that of section 3 with its sums over the batch gathered.
#pragma once
#include "base.h"

namespace tg {

template <class T>
TG_HD T batch_norm_centre(T x, T shift, T delta) {
  return (x - shift) - delta;
}

template <class T>
TG_HD T batch_norm(T x, T shift, T delta, T inv_std, T weight, T bias) {
  return batch_norm_centre(x, shift, delta) * inv_std * weight + bias;
}

template <class T>
TG_HD T batch_norm_inv_std(T variance, T eps) {
  return T(1) / square_root(variance + eps);
}

// dx of training mode; `mean_grad` = mean of grad, `mean_product` = mean of grad times the normalised value, over the batch.
template <class T>
TG_HD T batch_norm_backward(T grad, T normalised, T mean_grad, T mean_product, T weight, T inv_std) {
  return (weight * inv_std) * ((grad - mean_grad) - normalised * mean_product);
}

}  // namespace tg
