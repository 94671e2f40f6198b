// Gradient descent and momentum, one element; the terms around it are those of terms.h.
//
//   descent    p <- p - step_size g
//   momentum   m <- momentum m + gain g;   p <- p - step_size m,  or with Nesterov's look-ahead  p - step_size (gain g + momentum m)
//
// gain is 1 (PyTorch's form) or 1 - momentum (the course's). Moves 12 bytes an element in float32, with momentum 20.
// Sutskever et al. 2013, equations 1 to 4, in PyTorch's order of the terms.
#pragma once
#include "terms.h"

namespace tg {

template <class T>
struct Descent {
  static constexpr int STATES = 0, COLUMNS = 4;
  T step_size;

  TG_HD Descent of(const double *row) { return Descent{(T)row[0]}; }
};

template <class T>
TG_HD T update(const Descent<T> &s, T &p, T g) {
  p = p - s.step_size * g;
  return T(1);
}

template <class T>
struct Momentum {
  static constexpr int STATES = 1, COLUMNS = 4;
  T step_size, momentum, gain;
  bool nesterov;

  TG_HD Momentum of(const double *row) { return Momentum{(T)row[0], (T)row[1], (T)row[2], row[3] != 0}; }
};

template <class T>
TG_HD T update(const Momentum<T> &s, T &p, T g, T &m) {
  const T gained = s.gain * g;
  m = s.momentum * m + gained;
  p = p - s.step_size * (s.nesterov ? gained + s.momentum * m : m);
  return T(1);
}

}  // namespace tg
