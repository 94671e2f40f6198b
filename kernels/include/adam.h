// Adam and AdamW, one element. Every operation is rounded to T by itself (compile without contraction), so that the result
// is that of the same expression in NumPy, word for word.
//
//   g <- g + l2 p            where l2 != 0        (Adam's weight decay)
//   p <- shrink p            where shrink != 1    (AdamW's: shrink = 1 - lr weight_decay)
//   m <- beta1 m + (1 - beta1) g
//   v <- beta2 v + ((1 - beta2) g) g
//   p <- p - (step_size m) / (sqrt(v) inv_sqrt_bias2 + eps),   step_size = lr / (1 - beta1^t),  inv_sqrt_bias2 = (1 - beta2^t)^-1/2
//
// Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
// Moves 28 bytes an element in float32 (reads p, g, m, v; writes p, m, v).
#pragma once
#include "base.h"

namespace tg {

template <class T>
struct AdamScalars {
  T step_size, beta1, one_minus_beta1, beta2, one_minus_beta2, inv_sqrt_bias2, eps, l2, shrink;
};

constexpr int ADAM_COLUMNS = 9;  // of a row of the control array, in the order of AdamScalars

template <class T>
TG_HD AdamScalars<T> adam_scalars(const double *row) {
  return AdamScalars<T>{(T)row[0], (T)row[1], (T)row[2], (T)row[3], (T)row[4],
                        (T)row[5], (T)row[6], (T)row[7], (T)row[8]};
}

// Which terms a segment has: asked of the row itself, before l2 is rounded to T and may become 0.
TG_HD bool adam_decays(const double *row) { return row[7] != 0; }
TG_HD bool adam_shrinks(const double *row) { return row[8] != 1; }

template <class T>
TG_HD void adam(T &p, T g, T &m, T &v, const AdamScalars<T> &s, bool decays, bool shrinks) {
  if (decays) g = g + s.l2 * p;
  if (shrinks) p = p * s.shrink;
  m = s.beta1 * m + s.one_minus_beta1 * g;
  v = s.beta2 * v + (s.one_minus_beta2 * g) * g;
  p = p - (s.step_size * m) / (square_root(v) * s.inv_sqrt_bias2 + s.eps);
}

}  // namespace tg
