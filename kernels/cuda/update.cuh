// One launch of any optimizer's rule over all segments of a flat buffer. A rule has STATES moments and COLUMNS scalars; a row
// of the control array holds these and then the terms of ../include/terms.h. TG_UPDATE makes the kernel of a rule for a
// dtype; those whose name says `averaged` write the average of the weights too. All take the same arguments: what a rule does
// not have may be any pointer, and is not read.
//
// theta, grad, a, b, c, average: count elements. copy: bfloat16, of what theta becomes; null where there is none, and not
// read where T is double. segments: rows of (offset, length). control: a row of doubles for each.
//
// Where all addresses are multiples of 16 a thread takes 16 bytes of each array at once, else one element; both give the
// same words. Two blocks at once are asked for (__launch_bounds__): left to itself the compiler keeps some kernels to 64
// registers on sm_75, and spills.
#pragma once
#include "grid.cuh"
#include "terms.h"

namespace tg {

// Four bfloat16, which go beside four float32 in one store.
struct alignas(8) Four {
  u32 word[2];
};

__device__ inline u32 two(float low, float high) { return bfloat16_bits(low) | (u32)bfloat16_bits(high) << 16; }

template <class T, class Rule, bool AVERAGES>
struct UpdateTile {
  T *theta;
  const T *grad;
  T *a, *b, *c;  // the moments, as many as the rule has
  T *average;
  bfloat16 *copy;
  Rule rule;
  Terms<T> terms;

  __device__ void one(T &p, T g, T &x, T &y, T &z, T &kept) const {
    if constexpr (Rule::STATES == 0) update_element(rule, terms, p, g);
    if constexpr (Rule::STATES == 1) update_element(rule, terms, p, g, x);
    if constexpr (Rule::STATES == 2) update_element(rule, terms, p, g, x, y);
    if constexpr (Rule::STATES == 3) update_element(rule, terms, p, g, x, y, z);
    if constexpr (AVERAGES) follow(p, kept, terms);
  }

  __device__ void operator()(i64 first, int count) const {
    typedef Pack<T> P;
    T *p = theta + first, *x = a + first, *y = b + first, *z = c + first, *e = average + first;
    const T *g = grad + first;
    bool packs = aligned(p) && aligned(g);
    if (Rule::STATES > 0) packs = packs && aligned(x);
    if (Rule::STATES > 1) packs = packs && aligned(y);
    if (Rule::STATES > 2) packs = packs && aligned(z);
    if (AVERAGES) packs = packs && aligned(e);
    bfloat16 *low = nullptr;
    if constexpr (sizeof(T) == 4) low = copy ? copy + first : nullptr;
    packs = packs && ((u64)low & 7) == 0;
    const int whole = packs ? count / P::SIZE : 0;
#pragma unroll 1
    for (int i = threadIdx.x; i < whole; i += THREADS) {
      P u = ((const P *)p)[i], v = ((const P *)g)[i], s = {}, t = {}, w = {}, kept = {};
      if (Rule::STATES > 0) s = ((const P *)x)[i];
      if (Rule::STATES > 1) t = ((const P *)y)[i];
      if (Rule::STATES > 2) w = ((const P *)z)[i];
      if (AVERAGES) kept = ((const P *)e)[i];
      for (int k = 0; k < P::SIZE; ++k) one(u.item[k], v.item[k], s.item[k], t.item[k], w.item[k], kept.item[k]);
      ((P *)p)[i] = u;
      if constexpr (sizeof(T) == 4) {
        if (low) ((Four *)low)[i] = {two(u.item[0], u.item[1]), two(u.item[2], u.item[3])};
      }
      if (Rule::STATES > 0) ((P *)x)[i] = s;
      if (Rule::STATES > 1) ((P *)y)[i] = t;
      if (Rule::STATES > 2) ((P *)z)[i] = w;
      if (AVERAGES) ((P *)e)[i] = kept;
    }
#pragma unroll 1
    for (int i = whole * P::SIZE + threadIdx.x; i < count; i += THREADS) {
      T s = Rule::STATES > 0 ? x[i] : T(0), t = Rule::STATES > 1 ? y[i] : T(0), w = Rule::STATES > 2 ? z[i] : T(0);
      T kept = AVERAGES ? e[i] : T(0);
      one(p[i], g[i], s, t, w, kept);
      if constexpr (sizeof(T) == 4) {
        if (low) low[i] = p[i];
      }
      if (Rule::STATES > 0) x[i] = s;
      if (Rule::STATES > 1) y[i] = t;
      if (Rule::STATES > 2) z[i] = w;
      if (AVERAGES) e[i] = kept;
    }
  }
};

template <class T, bool AVERAGES, class Rule>
__device__ inline void update_segments(T *theta, const T *grad, T *a, T *b, T *c, T *average, bfloat16 *copy,
                                       const i64 *segments, const double *control, i64 rows, i64 count) {
  each_tile(segments, (u32)rows, count, [=](i64 row) {
    const double *scalars = control + (Rule::COLUMNS + TERM_COLUMNS) * row;
    return UpdateTile<T, Rule, AVERAGES>{theta, grad, a, b, c, average, copy, Rule::of(scalars), terms_of<T>(scalars + Rule::COLUMNS)};
  });
}

}  // namespace tg

#define TG_UPDATE(name, dtype, T, AVERAGES, ...)                                                                         \
  extern "C" __global__ void __launch_bounds__(tg::THREADS, 2)                                                           \
      name##_segments_##dtype(T *theta, const T *grad, T *a, T *b, T *c, T *average, tg::bfloat16 *copy,                 \
                              const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {             \
    tg::update_segments<T, AVERAGES, __VA_ARGS__>(theta, grad, a, b, c, average, copy, segments, control, rows, count);  \
  }
