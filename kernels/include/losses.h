// Losses of single numbers, each with its slope by the prediction x for the target t.
//
//   binary cross-entropy   w1 t log(1 + e^-x) + w0 (1 - t) log(1 + e^x);   slope  w0 (1 - t) s(x) - w1 t s(-x),  s the sigmoid
//   squared error          (x - t)^2;                                      slope  2 (x - t)
//   absolute error         |x - t|;                                        slope  sign(x - t), 0 where equal
//
// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which neither overflows nor loses digits.
#pragma once
#include "log.h"
#include "mean.h"

namespace tg {

template <class T>
struct ClassWeights {
  T zero, one;
};

template <class T>
struct BinaryCrossEntropy {
  TG_HD bool missing(T t) { return t != t; }
  TG_HD T weight(T t, ClassWeights<T> w) { return w.one * t + w.zero * (T(1) - t); }
  TG_HD T loss(T x, T t, ClassWeights<T> w) {
    const T small = logarithm_1p(exponential(-magnitude(x)));
    const T ones = small + (x > T(0) ? T(0) : -x), zeros = small + (x > T(0) ? x : T(0));
    return w.one * t * ones + w.zero * (T(1) - t) * zeros;
  }
  TG_HD T slope(T x, T t, ClassWeights<T> w) {
    const T e = exponential(-magnitude(x)), large = T(1) / (T(1) + e), tail = e / (T(1) + e);
    const T up = x > T(0) ? large : tail, down = x > T(0) ? tail : large;
    return w.zero * (T(1) - t) * up - w.one * t * down;
  }
};

template <class T>
struct SquaredError {
  TG_HD bool missing(T) { return false; }
  TG_HD T weight(T, ClassWeights<T>) { return T(1); }
  TG_HD T loss(T x, T t, ClassWeights<T>) { return (x - t) * (x - t); }
  TG_HD T slope(T x, T t, ClassWeights<T>) { return (x - t) + (x - t); }
};

template <class T>
struct AbsoluteError {
  TG_HD bool missing(T) { return false; }
  TG_HD T weight(T, ClassWeights<T>) { return T(1); }
  TG_HD T loss(T x, T t, ClassWeights<T>) {
    const T d = x - t;
    return d < T(0) ? -d : d + T(0);
  }
  TG_HD T slope(T x, T t, ClassWeights<T>) {
    const T d = x - t;
    return d > T(0) ? T(1) : d < T(0) ? T(-1) : d == T(0) ? T(0) : d;
  }
};

}  // namespace tg
