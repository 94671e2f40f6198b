// What may follow an operation in the same pass: an activation, and after a ReLU dropout. Both gradients are told from the
// result `out`, so that neither what came before it nor the mask is kept or drawn again:
//
//   ReLU, dropout   scale grad where out > 0 (or NaN), else 0: scale >= 1 never underflows, so out = 0 where y <= 0 or dropped
//   leaky ReLU      grad where out > 0, else slope grad;  slope >= 0, so that out has the sign of y
//   sigmoid, tanh   grad out (1 - out),  grad (1 - out^2)
#pragma once
#include "activations.h"
#include "relu.h"

namespace tg {

enum { NOTHING, RELU, LEAKY_RELU, SIGMOID, TANH };

template <int KIND, class T>
TG_HD T tail(T y, T slope) {
  if constexpr (KIND == RELU) return relu(y);
  if constexpr (KIND == LEAKY_RELU) return leaky_relu(y, slope);
  if constexpr (KIND == SIGMOID) return sigmoid(y);
  if constexpr (KIND == TANH) return hyperbolic_tangent(y);
  return y;
}

// scale: of dropout after a ReLU, 1 where there is none.
template <int KIND, class T>
TG_HD T tail_backward(T out, T grad, T slope, T scale) {
  if constexpr (KIND == RELU) return relu_backward(out, grad * scale);
  if constexpr (KIND == LEAKY_RELU) return leaky_relu_backward(out, grad, slope);
  if constexpr (KIND == SIGMOID) return sigmoid_backward(out, grad);
  if constexpr (KIND == TANH) return tanh_backward(out, grad);
  return grad;
}

}  // namespace tg
