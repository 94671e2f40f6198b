// Activations and their gradients; the formulas are in ../include/relu.h and ../include/activations.h.
//
// Moves 8 bytes an element in float32 forward and 12 backward (16 where the gradient is added to what is there), in
// bfloat16 half of that. The gradients of relu and leaky_relu are functions of x, those of sigmoid and tanh of the result.
#include "activations.h"
#include "elementwise.cuh"
#include "relu.h"

using namespace tg;

TG_GLOBAL(relu, (S *out, const S *x, i64 count), map<T>(out, x, count, [](T a) { return tg::relu(a); }))
TG_GLOBAL(relu_backward, (S *dx, const S *x, const S *grad, i64 count, i64 adds),
          map<T>(dx, x, grad, count, adds, [](T a, T g) { return tg::relu_backward(a, g); }))

TG_GLOBAL(leaky_relu, (S *out, const S *x, i64 count, T slope),
          map<T>(out, x, count, [=](T a) { return tg::leaky_relu(a, slope); }))
TG_GLOBAL(leaky_relu_backward, (S *dx, const S *x, const S *grad, i64 count, i64 adds, T slope),
          map<T>(dx, x, grad, count, adds, [=](T a, T g) { return tg::leaky_relu_backward(a, g, slope); }))

TG_GLOBAL(sigmoid, (S *out, const S *x, i64 count), map<T>(out, x, count, [](T a) { return tg::sigmoid(a); }))
TG_GLOBAL(sigmoid_backward, (S *dx, const S *out, const S *grad, i64 count, i64 adds),
          map<T>(dx, out, grad, count, adds, [](T a, T g) { return tg::sigmoid_backward(a, g); }))

TG_GLOBAL(tanh, (S *out, const S *x, i64 count), map<T>(out, x, count, [](T a) { return tg::hyperbolic_tangent(a); }))
TG_GLOBAL(tanh_backward, (S *dx, const S *out, const S *grad, i64 count, i64 adds),
          map<T>(dx, out, grad, count, adds, [](T a, T g) { return tg::tanh_backward(a, g); }))
