// Philox in this instruction set's widest registers: two counters' words per 64-bit element, even counters in one register
// and odd ones in another, merged when they are stored. `Lanes` has the interface of tg::Scalar (philox.h).
#pragma once
#include "../include/philox.h"

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
struct Lanes {
  typedef tg::u64 Word __attribute__((vector_size(64)));
  static inline Word product(Word word, tg::u32 multiplier) {
    return (Word)_mm512_mul_epu32((__m512i)word, _mm512_set1_epi64(multiplier));
  }
  static inline Word spread(tg::u64 key) { return (Word)_mm512_set1_epi64((long long)key); }
  static inline void store(tg::u32 *to, Word even, Word odd) {
    _mm512_storeu_si512(to, _mm512_mask_blend_epi32(0xAAAA, (__m512i)even, (__m512i)(odd << 32)));
  }
};
#elif defined(__AVX2__)
struct Lanes {
  typedef tg::u64 Word __attribute__((vector_size(32)));
  static inline Word product(Word word, tg::u32 multiplier) {
    return (Word)_mm256_mul_epu32((__m256i)word, _mm256_set1_epi64x(multiplier));
  }
  static inline Word spread(tg::u64 key) { return (Word)_mm256_set1_epi64x((long long)key); }
  static inline void store(tg::u32 *to, Word even, Word odd) {
    _mm256_storeu_si256((__m256i *)to, _mm256_blend_epi32((__m256i)even, (__m256i)(odd << 32), 0xAA));
  }
};
#elif defined(__SSE4_1__)
struct Lanes {
  typedef tg::u64 Word __attribute__((vector_size(16)));
  static inline Word product(Word word, tg::u32 multiplier) {
    return (Word)_mm_mul_epu32((__m128i)word, _mm_set1_epi64x(multiplier));
  }
  static inline Word spread(tg::u64 key) { return (Word)_mm_set1_epi64x((long long)key); }
  static inline void store(tg::u32 *to, Word even, Word odd) {
    _mm_storeu_si128((__m128i *)to, _mm_blend_epi16((__m128i)even, (__m128i)(odd << 32), 0xCC));
  }
};
#else
struct Lanes : tg::Scalar {
  static inline void store(tg::u32 *to, Word even, Word odd) {
    to[0] = (tg::u32)even;
    to[1] = (tg::u32)odd;
  }
};
#endif

inline void philox_counters(tg::u32 *words, int stride, tg::u64 counter, tg::u32 step, tg::u32 stream, tg::u64 seed) {
  typename Lanes::Word even[4], odd[4];
  tg::u64 first[sizeof(Lanes::Word) / 8];
  for (unsigned i = 0; i < sizeof(Lanes::Word) / 8; ++i) first[i] = counter + 2 * i;
  __builtin_memcpy(&even[0], first, sizeof first);
  odd[0] = even[0] + Lanes::spread(1);
  even[1] = even[0] >> 32;
  odd[1] = odd[0] >> 32;
  even[2] = odd[2] = Lanes::spread(step);
  even[3] = odd[3] = Lanes::spread(stream);
  tg::philox_rounds<Lanes>(even[0], even[1], even[2], even[3], seed);
  tg::philox_rounds<Lanes>(odd[0], odd[1], odd[2], odd[3], seed);
  for (int lane = 0; lane < 4; ++lane) Lanes::store(words + lane * stride, even[lane], odd[lane]);
}

// The 4*W words of block b: those of elements 4*W*b, 4*W*b + 1, ...
template <int W>
inline void philox_block(tg::u32 *words, tg::u64 block, tg::u32 step, tg::u32 stream, tg::u64 seed) {
  constexpr int AT_ONCE = sizeof(Lanes::Word) / 4;
  for (int j = 0; j < W; j += AT_ONCE) philox_counters(words + j, W, block * W + j, step, stream, seed);
}

}  // namespace
