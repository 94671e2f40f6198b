// The Euclidean norm of a segmented gradient, and the factor that clips it, in an order of additions that is the same
// everywhere: each segment falls into leaves of NORM_LEAF elements, those into rows of NORM_LANES. Squares are added in
// float64: down the rows of a leaf for each lane, then over its lanes, then over the leaves of a segment, then over the
// segments of the table; one by one each time.
//
//   factor = min(1, max_norm / (norm + 1e-6))        (PyTorch's clip_grad_norm_); NaN where the norm is NaN
//
// of the gradient times unscale, which the sum is multiplied with, and then the factor.
#pragma once
#include "base.h"

namespace tg {

constexpr i64 NORM_LANES = 64, NORM_ROWS = 128, NORM_LEAF = NORM_LANES * NORM_ROWS;

TG_HD i64 norm_leaves(i64 length) { return (length + NORM_LEAF - 1) / NORM_LEAF; }

TG_HD double clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor >= 1 ? 1 : factor;
}

}  // namespace tg
