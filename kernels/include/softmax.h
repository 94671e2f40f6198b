// Softmax cross-entropy of one row of logits z, by its largest logit:
//
//   loss = log(sum_k exp(z_k - max)) - (z_target - max),   probability_k = exp(z_k - max) / sum,
//   dloss / dz_k = probability_k - [k = target]
//
// and for soft targets t (one-hot or probabilities, times class weights), with S = sum_k t_k:
//
//   loss = sum_k t_k (log(sum) - (z_k - max)),   dloss / dz_k = probability_k S - t_k
#pragma once
#include "log.h"
#include "mean.h"

namespace tg {

template <class T>
TG_HD T softmax_loss(T sum, T target_logit, T largest) {
  return logarithm(sum) - (target_logit - largest);
}

template <class T>
TG_HD T softmax_backward(T probability, bool is_target, T grad) {
  return (is_target ? probability - T(1) : probability) * grad;
}

// A term of weight 0 is 0 even where its logit is -infinity.
template <class T>
TG_HD T soft_term(T target, T log_sum, T logit, T largest) {
  return target == T(0) ? T(0) : (log_sum - (logit - largest)) * target;
}

template <class T>
TG_HD T soft_backward(T probability, T target, T targets, T grad) {
  return (probability * targets - target) * grad;
}

}  // namespace tg
