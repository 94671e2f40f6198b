// Activations beside ReLU, one element, and their gradients.
//
//   leaky ReLU   x where x > 0, else slope x; its derivative at 0 is `slope`
//   sigmoid      1 / (1 + e^-x), as e^x / (1 + e^x) for negative x so that small results keep their digits; slope s (1 - s)
//   tanh         sign(x) t / (t + 2) with t = e^-2|x| - 1 = 2^n (e^r - 1) + (2^n - 1), r as in exp.h; slope 1 - tanh^2
//
// Both are within 2.5 units in the last place in either type. NaN is handed on, and tanh keeps -0.
#pragma once
#include "exp.h"

namespace tg {

template <class T>
TG_HD T leaky_relu(T x, T slope) {
  return x > T(0) ? x : x * slope;
}

template <class T>
TG_HD T leaky_relu_backward(T x, T grad, T slope) {
  return x > T(0) ? grad : grad * slope;
}

template <class T>
TG_HD T sigmoid(T x) {
  const T e = exponential(-magnitude(x));
  return (x >= T(0) ? T(1) : e) / (T(1) + e);
}

template <class T>
TG_HD T sigmoid_backward(T out, T grad) {
  return grad * (out * (T(1) - out));
}

// Beyond `far` the result rounds to 1, and 2^n is a normal number up to there.
template <class T>
TG_HD T hyperbolic_tangent(T x) {
  const T far = sizeof(T) == 4 ? T(10) : T(22), size = magnitude(x);
  const auto e = reduced(size > far ? T(-2) * far : T(-2) * size);
  const T two_n = power_of_two(e.power), t = multiply_add(two_n, e.minus_1, two_n - T(1));
  return with_sign_of(x, t / (t + T(2)));
}

template <class T>
TG_HD T tanh_backward(T out, T grad) {
  return grad * (T(1) - out * out);
}

}  // namespace tg
