// Gradient descent, one element, each operation rounded to T by itself:  g <- g + l2 p where l2 != 0;  p <- p - lr g.
// Moves 12 bytes an element in float32.
#pragma once
#include "base.h"

namespace tg {

constexpr int SGD_COLUMNS = 2;  // of a row of the control array: lr, l2

template <class T>
TG_HD void sgd(T &p, T g, T lr, T l2, bool decays) {
  if (decays) g = g + l2 * p;
  p = p - lr * g;
}

}  // namespace tg
