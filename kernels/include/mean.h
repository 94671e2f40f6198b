// What a mean of losses divides by: the sum of the weights, or 1 where these are all 0. Such a mini-batch has loss 0 and
// gradient 0, instead of 0 / 0.
#pragma once
#include "base.h"

namespace tg {

template <class T>
TG_HD T divisor(T weights) {
  return weights == T(0) ? T(1) : weights;
}

}  // namespace tg
