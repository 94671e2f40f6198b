// ReLU, one element: max(x, 0) with NaN handed on and +0 for either zero; its derivative at 0 is 0.
#pragma once
#include "base.h"

namespace tg {

template <class T>
TG_HD T relu(T x) {
  return x <= T(0) ? T(0) : x;
}

template <class T>
TG_HD T relu_backward(T x, T grad) {
  return x > T(0) ? grad : T(0);
}

}  // namespace tg
