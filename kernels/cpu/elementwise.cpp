// Activations and their gradients (8 and 12 bytes an element in float32), exponentials and logarithms, copies, sums, and the
// counter of steps.
#include "../include/activations.h"
#include "../include/log.h"
#include "../include/relu.h"
#include "kernel.h"

namespace {

struct UnaryArguments {
  void *out;
  const void *x;
  i64 count;
};

struct BinaryArguments {
  void *out;
  const void *x, *y;
  i64 count;
};

template <class T, class F>
inline void unary(const UnaryArguments &a, const F &f) {
  const T *x = static_cast<const T *>(a.x);
  T *out = static_cast<T *>(a.out);
  parallel_pieces(a.count, PIECE, [=](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) out[i] = f(x[i]);
  });
}

template <class T, class F>
inline void binary(const BinaryArguments &a, const F &f) {
  const T *x = static_cast<const T *>(a.x), *y = static_cast<const T *>(a.y);
  T *out = static_cast<T *>(a.out);
  parallel_pieces(a.count, PIECE, [=](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) out[i] = f(x[i], y[i]);
  });
}

template <class T>
inline void relu(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return tg::relu(x); });
}

template <class T>
inline void relu_backward(const BinaryArguments &a) {
  binary<T>(a, [](T x, T grad) { return tg::relu_backward(x, grad); });
}

struct LeakyArguments {
  void *out;
  const void *x, *grad;
  i64 count;
  double slope;
};

template <class T>
inline void leaky_relu(const LeakyArguments &a) {
  const T slope = (T)a.slope;
  unary<T>({a.out, a.x, a.count}, [=](T x) { return tg::leaky_relu(x, slope); });
}

template <class T>
inline void leaky_relu_backward(const LeakyArguments &a) {
  const T slope = (T)a.slope;
  binary<T>({a.out, a.x, a.grad, a.count}, [=](T x, T grad) { return tg::leaky_relu_backward(x, grad, slope); });
}

template <class T>
inline void sigmoid(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return tg::sigmoid(x); });
}

template <class T>
inline void sigmoid_backward(const BinaryArguments &a) {
  binary<T>(a, [](T out, T grad) { return tg::sigmoid_backward(out, grad); });
}

template <class T>
inline void tanh(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return tg::hyperbolic_tangent(x); });
}

template <class T>
inline void tanh_backward(const BinaryArguments &a) {
  binary<T>(a, [](T out, T grad) { return tg::tanh_backward(out, grad); });
}

template <class T>
inline void copy(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return x; });
}

template <class T>
inline void add(const BinaryArguments &a) {
  binary<T>(a, [](T x, T y) { return x + y; });
}

template <class T>
inline void exponential(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return tg::exponential(x); });
}

template <class T>
inline void logarithm(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return tg::logarithm(x); });
}

template <class T>
inline void logarithm_1p(const UnaryArguments &a) {
  unary<T>(a, [](T x) { return tg::logarithm_1p(x); });
}

struct CounterArguments {
  i64 *cell, amount;
};

inline void counter_add(const CounterArguments &a) { *a.cell += a.amount; }

}  // namespace

TG_KERNEL(relu, UnaryArguments)
TG_KERNEL(relu_backward, BinaryArguments)
TG_KERNEL(leaky_relu, LeakyArguments)
TG_KERNEL(leaky_relu_backward, LeakyArguments)
TG_KERNEL(sigmoid, UnaryArguments)
TG_KERNEL(sigmoid_backward, BinaryArguments)
TG_KERNEL(tanh, UnaryArguments)
TG_KERNEL(tanh_backward, BinaryArguments)
TG_KERNEL(exponential, UnaryArguments)
TG_KERNEL(logarithm, UnaryArguments)
TG_KERNEL(logarithm_1p, UnaryArguments)
TG_KERNEL(copy, UnaryArguments)
TG_KERNEL(add, BinaryArguments)
TG_ENTRY(copy, _i64_, copy<i64>, UnaryArguments)
TG_ENTRY(counter_add, _i64_, counter_add, CounterArguments)
