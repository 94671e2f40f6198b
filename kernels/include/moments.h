// Number, mean and sum of squared distances from the mean of some values, and the same of two groups together:
//
//   d = mean_b - mean_a,   mean = mean_a + d n_b / n,   m2 = m2_a + m2_b + d^2 n_a n_b / n,   n = n_a + n_b
//
// No square of a value itself is ever taken, so that a mean that is large beside the deviation costs no digits.
// Chan, Golub and LeVeque 1983, equations 2.1.
#pragma once
#include "base.h"

namespace tg {

template <class T>
struct Moments {
  T count, mean, m2;
};

template <class T>
TG_HD Moments<T> merge(const Moments<T> &a, const Moments<T> &b) {
  if (b.count == T(0)) return a;
  const T count = a.count + b.count, share = b.count / count, gap = b.mean - a.mean;
  return {count, a.mean + gap * share, a.m2 + b.m2 + gap * gap * (a.count * share)};
}

// Of the first `count` of N values, N a power of two.
template <int N, class T>
TG_HD Moments<T> moments(const T *value, int count) {
  T sum = T(0), m2 = T(0);
  for (int k = 0; k < N; ++k) sum += k < count ? value[k] : T(0);
  const T mean = count == N ? sum * (T(1) / T(N)) : sum / (T)count;  // the same bits where N is a power of two, and no division
  for (int k = 0; k < N; ++k) {
    const T gap = value[k] - mean;
    m2 += k < count ? gap * gap : T(0);
  }
  return {(T)count, mean, m2};
}

}  // namespace tg
