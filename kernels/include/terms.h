// What the rules of all optimizers share, one element, before and after the rule itself:
//
//   g <- factor g             where factor != 1     (1 / loss scale, times max_norm / norm where the norm is clipped)
//   g <- clamp(g, -limit, limit)  where limit is finite  (clipping by value)
//   g <- g + l2 p             where l2 != 0         (weight decay as L2 regularisation)
//   p <- shrink p             where shrink != 1     (decoupled decay: shrink = 1 - lr weight_decay)
//   ... the rule, which moves p by a multiple of 1 / divisor ...
//   p <- sign(p) max(|p| - threshold / divisor, 0)  where threshold != 0  (L1, as a proximal step: threshold = lr l1)
//   average <- average + blend (p - average)        where there is an average of the weights  (blend = 1 - decay)
//
// The threshold has the scale of the step, so that the point where they balance is that of the penalty l1 |p|: a weight rests
// at 0 where the gradient of the loss is at most l1 (Yun, Lozano and Yang 2021, algorithm 1). The average is written so that
// it rests where p does: decay average + (1 - decay) p rests beside it, for the two rounded factors do not add up to 1 (in
// float32 and with a decay of 0.9999 by 3e-4 of p). It moves 8 more bytes an element in float32.
//
// Every operation is rounded to T by itself (compile without contraction), so that the result is that of the same
// expression in NumPy, word for word. NaN is handed on. A row of the control array holds the rule's scalars, then these.
#pragma once
#include "base.h"

namespace tg {

constexpr int TERM_COLUMNS = 6;

template <class T>
struct Terms {
  T factor, limit, l2, shrink, threshold, blend;
  bool scales, limits, decays, shrinks, thresholds;  // asked of the row, before a scalar is rounded to T and may vanish
};

template <class T>
TG_HD Terms<T> terms_of(const double *row) {
  return Terms<T>{(T)row[0],   (T)row[1],            (T)row[2],   (T)row[3],   (T)row[4], (T)row[5],
                  row[0] != 1, row[1] <= 1.7976931348623157e308, row[2] != 0, row[3] != 1, row[4] != 0};
}

// Written as choices between values, not as branches, so that loops over elements vectorise.
template <class T>
TG_HD void before_rule(T &p, T &g, const Terms<T> &t) {
  const T scaled = g * t.factor;
  g = t.scales ? scaled : g;
  const T above = g < -t.limit ? -t.limit : g, inside = above > t.limit ? t.limit : above;
  g = t.limits ? inside : g;
  const T decayed = g + t.l2 * p;
  g = t.decays ? decayed : g;
  const T shrunk = p * t.shrink;
  p = t.shrinks ? shrunk : p;
}

template <class T>
TG_HD void after_rule(T &p, T divisor, const Terms<T> &t) {
  const T cut = t.threshold / divisor, down = p - cut, up = p + cut;
  const T drawn = p > T(0) ? down : up;
  const T above = p >= -cut ? T(0) : drawn;
  const T rest = p <= cut ? above : drawn;
  p = t.thresholds ? rest : p;
}

template <class T>
TG_HD void follow(T p, T &average, const Terms<T> &t) {
  average = average + t.blend * (p - average);
}

// One element: the rule with what stands around it, but for the average, which not every optimizer has.
template <class T, class Rule, class... States>
TG_HD void update_element(const Rule &rule, const Terms<T> &t, T &p, T g, States &...states) {
  before_rule(p, g, t);
  const T divisor = update(rule, p, g, states...);
  after_rule(p, divisor, t);
}

}  // namespace tg
