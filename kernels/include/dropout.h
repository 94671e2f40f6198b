// Inverted dropout, one element: x scale where its word < threshold = floor((1 - p) 2^32), else +0; scale = 1 / (1 - p) in T.
// The gradient is the same function of the upstream gradient: the mask is recomputed, never stored.
// Srivastava et al. 2014, section 10 (scaling at training time).
#pragma once
#include "base.h"

namespace tg {

// `last` = threshold - 1, the last word kept: a threshold of 2^32 (p = 0) then fits 32 bits. A threshold of 0 drops all.
template <class T>
TG_HD T dropout(T x, u32 word, u32 last, T scale) {
  return word <= last ? x * scale : T(0);
}

}  // namespace tg
