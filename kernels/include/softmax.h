// Softmax cross-entropy of one row of logits z, by its largest logit:
//
//   loss = log(sum_k exp(z_k - max)) - (z_target - max),   probability_k = exp(z_k - max) / sum,
//   dloss / dz_k = probability_k - [k = target]
#pragma once
#include "exp.h"

namespace tg {

template <class T>
TG_HD T softmax_loss(T sum, T target_logit, T largest) {
  return logarithm(sum) - (target_logit - largest);
}

template <class T>
TG_HD T softmax_backward(T probability, bool is_target, T grad) {
  return (is_target ? probability - T(1) : probability) * grad;
}

}  // namespace tg
