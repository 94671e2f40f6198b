// The sum of numbers in NumPy's order: 8 sums side by side over at most 128 numbers, halves of more in a tree.
//
//   sum(x, n) = sum(x, h) + sum(x + h, n - h),  h = n / 2 down to a multiple of 8
//
// The error grows as log n, not as n (Higham 1993, section 4).
#pragma once
#include "base.h"

namespace tg {

constexpr i64 PAIRWISE_LEAF = 128;

TG_HD i64 left_half(i64 n) { return n / 2 - n / 2 % 8; }

template <class T>
TG_HD T pairwise_leaf(const T *x, i64 n) {
  T total = T(0);
  i64 i = 0;
  if (n >= 8) {
    T part[8];
    for (i64 j = 0; j < 8; ++j) part[j] = x[j];
    for (i = 8; i + 8 <= n; i += 8)
      for (i64 j = 0; j < 8; ++j) part[j] += x[i + j];
    total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  }
  for (; i < n; ++i) total += x[i];
  return total;
}

}  // namespace tg
