// Activations beside ReLU, one element, and their gradients.
//
//   leaky ReLU   x where x > 0, else slope x; its derivative at 0 is `slope`
//   sigmoid      1 / (1 + e^-x), as e^x / (1 + e^x) for negative x so that small results keep their digits; slope s (1 - s)
//   tanh         x + x^3 P(x^2) / Q(x^2) for |x| < 0.625, else sign(x) (1 - 2 / (e^2|x| + 1)); slope 1 - tanh^2
//
// tanh is Cephes' (Moshier). Both are within 2 units in the last place in either type (measured: tanh 1, sigmoid 2 over 35,000
// values from 1e-30 to 100). NaN is handed on, and tanh keeps -0.
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
  const T e = exponential(x >= T(0) ? -x : x);
  return (x >= T(0) ? T(1) : e) / (T(1) + e);
}

template <class T>
TG_HD T sigmoid_backward(T out, T grad) {
  return grad * (out * (T(1) - out));
}

TG_HD float tanh_near_zero(float x, float z) {
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  return p * z * x + x;
}

TG_HD double tanh_near_zero(double x, double z) {
  const double p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
  const double q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3;
  return x + x * z * (p / q);
}

template <class T>
TG_HD T hyperbolic_tangent(T x) {
  const T size = x < T(0) ? -x : x, far = T(1) - T(2) / (exponential(size + size) + T(1));
  const T near = x * x == T(0) ? x : tanh_near_zero(x, x * x);  // keeps -0
  return size < T(0.625) ? near : x < T(0) ? -far : x != x ? x : far;
}

template <class T>
TG_HD T tanh_backward(T out, T grad) {
  return grad * (T(1) - out * out);
}

}  // namespace tg
