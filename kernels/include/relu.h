// ReLU, one element: max(x, 0) with NaN handed on and +0 for either zero; its derivative is 0 at 0 and 1 at NaN.
#pragma once
#include "base.h"

namespace tg {

template <class T>
TG_HD T relu(T x) {
  return x <= T(0) ? T(0) : x;
}

template <class T>
TG_HD T relu_backward(T x, T grad) {
  return x <= T(0) ? T(0) : grad;
}

}  // namespace tg
