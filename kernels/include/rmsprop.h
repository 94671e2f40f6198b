// RMSprop, one element; the terms around it are those of terms.h.
//
//   v <- alpha v + ((1 - alpha) g) g
//   a <- alpha a + (1 - alpha) g,  and v - a a in place of v below           (centered; 0 where rounding made it negative)
//   d  = g / (sqrt(v scale_in + eps_in) scale_out + eps_out)                 (the scalars as in adam.h; 1 without correction)
//   b <- momentum b + d,  and b in place of d below                          (with momentum)
//   p <- p - step_size d
//
// Tieleman and Hinton 2012, lecture 6.5; centered: Graves 2013, equations 38 to 45, in PyTorch's form.
// Moves 20 bytes an element in float32, and 8 more for each of a and b.
#pragma once
#include "terms.h"

namespace tg {

template <class T, bool MOMENTUM, bool CENTERED>
struct RMSprop {
  static constexpr int STATES = 1 + MOMENTUM + CENTERED, COLUMNS = 8;
  T step_size, alpha, one_minus_alpha, scale_in, eps_in, scale_out, eps_out, momentum;

  TG_HD RMSprop of(const double *row) {
    return RMSprop{(T)row[0], (T)row[1], (T)row[2], (T)row[3], (T)row[4], (T)row[5], (T)row[6], (T)row[7]};
  }
};

template <class T, class Rule>
TG_HD T rmsprop_divisor(const Rule &s, T variance) {
  return square_root(variance * s.scale_in + s.eps_in) * s.scale_out + s.eps_out;
}

template <class T, class Rule>
TG_HD void rmsprop_average(const Rule &s, T g, T &v) {
  v = s.alpha * v + (s.one_minus_alpha * g) * g;
}

template <class T, class Rule>
TG_HD T rmsprop_centred(const Rule &s, T g, T v, T &a) {
  a = s.alpha * a + s.one_minus_alpha * g;
  const T variance = v - a * a;
  return variance < 0 ? T(0) : variance;
}

template <class T, class Rule>
TG_HD T rmsprop_step(const Rule &s, T &p, T g, T divisor) {
  p = p - s.step_size * (g / divisor);
  return divisor;
}

template <class T, class Rule>
TG_HD T rmsprop_step(const Rule &s, T &p, T g, T divisor, T &b) {
  b = s.momentum * b + g / divisor;
  p = p - s.step_size * b;
  return divisor;
}

template <class T>
TG_HD T update(const RMSprop<T, false, false> &s, T &p, T g, T &v) {
  rmsprop_average(s, g, v);
  return rmsprop_step(s, p, g, rmsprop_divisor(s, v));
}

template <class T>
TG_HD T update(const RMSprop<T, false, true> &s, T &p, T g, T &v, T &a) {
  rmsprop_average(s, g, v);
  return rmsprop_step(s, p, g, rmsprop_divisor(s, rmsprop_centred(s, g, v, a)));
}

template <class T>
TG_HD T update(const RMSprop<T, true, false> &s, T &p, T g, T &v, T &b) {
  rmsprop_average(s, g, v);
  return rmsprop_step(s, p, g, rmsprop_divisor(s, v), b);
}

template <class T>
TG_HD T update(const RMSprop<T, true, true> &s, T &p, T g, T &v, T &b, T &a) {
  rmsprop_average(s, g, v);
  return rmsprop_step(s, p, g, rmsprop_divisor(s, rmsprop_centred(s, g, v, a)), b);
}

}  // namespace tg
