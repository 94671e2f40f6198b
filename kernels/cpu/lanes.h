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
  static inline Word evens() { return Word{0, 2, 4, 6, 8, 10, 12, 14}; }
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
  static inline Word evens() { return Word{0, 2, 4, 6}; }
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
  static inline Word evens() { return Word{0, 2}; }
  static inline void store(tg::u32 *to, Word even, Word odd) {
    _mm_storeu_si128((__m128i *)to, _mm_blend_epi16((__m128i)even, (__m128i)(odd << 32), 0xCC));
  }
};
#else
struct Lanes : tg::Scalar {
  static inline Word evens() { return 0; }
  static inline void store(tg::u32 *to, Word even, Word odd) {
    to[0] = (tg::u32)even;
    to[1] = (tg::u32)odd;
  }
};
#endif

// The keys of all rounds, spread over registers once for many counters: memory operands cost less than broadcasts.
struct Keys {
  Lanes::Word lows[10], highs[10];

  explicit Keys(tg::u64 seed) {
    for (int round = 0; round < 10; ++round) {
      lows[round] = Lanes::spread(tg::philox_low(seed, round));
      highs[round] = Lanes::spread(tg::philox_high(seed, round));
    }
  }
  static inline Lanes::Word low(const Keys &k, int round) { return k.lows[round]; }
  static inline Lanes::Word high(const Keys &k, int round) { return k.highs[round]; }
};

// The 4*W words of each of BLOCKS blocks b: those of elements 4*W*b, 4*W*b + 1, ...
template <int W, int BLOCKS>
inline void philox_blocks(tg::u32 *words, const tg::u64 *blocks, tg::u32 step, tg::u32 stream, const Keys &keys) {
  constexpr int WIDE = sizeof(Lanes::Word) / 8, AT_ONCE = 2 * WIDE, CHAINS = 2 * BLOCKS;
  for (int j = 0; j < W; j += AT_ONCE) {
    Lanes::Word c[4][CHAINS];
    for (int i = 0; i < CHAINS; ++i) {  // a block's counters have one high half: W divides 2^32
      const tg::u64 first = blocks[i / 2] * W + (tg::u64)(j + i % 2);
      c[0][i] = Lanes::spread(first) + Lanes::evens();
      c[1][i] = Lanes::spread(first >> 32);
      c[2][i] = Lanes::spread(step);
      c[3][i] = Lanes::spread(stream);
    }
    tg::philox_rounds<Lanes, CHAINS>(c, keys);
    for (int i = 0; i < BLOCKS; ++i)
      for (int lane = 0; lane < 4; ++lane)
        Lanes::store(words + (4 * i + lane) * W + j, c[lane][2 * i], c[lane][2 * i + 1]);
  }
}

}  // namespace
