// Adam and AdamW, one element; the terms around it are those of terms.h.
//
//   m <- beta1 m + (1 - beta1) g
//   v <- beta2 v + ((1 - beta2) g) g
//   p <- p - (step_size m) / (sqrt(v scale_in + eps_in) scale_out + eps_out),   step_size = lr / (1 - beta1^t)
//
// eps outside the root:  scale_in 1, eps_in 0, scale_out (1 - beta2^t)^-1/2, eps_out eps;
// inside:                scale_in 1 / (1 - beta2^t), eps_in eps, scale_out 1, eps_out 0.  A factor 1 and a term 0 are exact.
//
// Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
// Moves 28 bytes an element in float32 (reads p, g, m, v; writes p, m, v).
#pragma once
#include "terms.h"

namespace tg {

template <class T>
struct Adam {
  static constexpr int STATES = 2, COLUMNS = 9;
  T step_size, beta1, one_minus_beta1, beta2, one_minus_beta2, scale_in, eps_in, scale_out, eps_out;

  TG_HD Adam of(const double *row) {
    return Adam{(T)row[0], (T)row[1], (T)row[2], (T)row[3], (T)row[4], (T)row[5], (T)row[6], (T)row[7], (T)row[8]};
  }
};

template <class T>
TG_HD T update(const Adam<T> &s, T &p, T g, T &m, T &v) {
  m = s.beta1 * m + s.one_minus_beta1 * g;
  v = s.beta2 * v + (s.one_minus_beta2 * g) * g;
  const T divisor = square_root(v * s.scale_in + s.eps_in) * s.scale_out + s.eps_out;
  p = p - (s.step_size * m) / divisor;
  return divisor;
}

}  // namespace tg
