// Philox4x32-10: a counter and a key give four random 32-bit words, with no state between them.
//
//   one round:  (c0, c1, c2, c3) <- (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)),  k <- k + (W0, W1)
//
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
//
// key = (low, high half of the seed); counter = (low, high half of the counter's number, step, stream).
// Layout: element e = 4*W*b + W*lane + j takes word `lane` of counter W*b + j, so that W neighbouring elements share a lane.
//
// W = 16 by measurement (benchmarks/bench_philox.py): a row of a 64-column tile is then one block, all of whose words are
// used, and streams no slower. Nanoseconds a word on one thread of an AMD Zen 5, g++ 12, a 128 x 512 array:
//
//     W                    16     32     64    128
//     x86-64-v4  stream  0.21   0.21   0.23   0.23      (AVX-512)
//                tile    0.21   0.75   0.90   0.85
//     x86-64-v3  stream  0.50   0.50   0.50   0.50      (AVX2: half the lanes, and two instructions for an xor of three words)
//                tile    0.50   1.22   1.96   1.96
//     x86-64-v2  stream  1.04   1.05   1.04   1.04
//                tile    1.03   2.36   4.12   4.12
#pragma once
#include "base.h"

namespace tg {

constexpr int PHILOX_W = 16;

// The halves of the key in one round.
TG_HD u32 philox_low(u64 seed, int round) { return (u32)seed + (u32)round * 0x9E3779B9u; }
TG_HD u32 philox_high(u64 seed, int round) { return (u32)(seed >> 32) + (u32)round * 0xBB67AE85u; }

// A word is held in the low half of a 64-bit value whose high half is of no account: each product then needs no unpacking,
// on CUDA (one wide multiply) and in vector registers (mul_epu32) alike. `Lane` says which register: Scalar, or a vector; and
// `keys` gives the key of a round in such a register.
struct Scalar {
  typedef u64 Word;
  TG_HD u64 product(u64 word, u32 multiplier) { return (u64)(u32)word * multiplier; }
  TG_HD u64 spread(u32 key) { return key; }
};

struct ScalarKeys {
  u64 seed;
  TG_HD u64 low(const ScalarKeys &k, int round) { return philox_low(k.seed, round); }
  TG_HD u64 high(const ScalarKeys &k, int round) { return philox_high(k.seed, round); }
};

// The ten rounds of several counters side by side: one alone would wait for each product. Unrolled, what the counters have in
// common is computed once (a third of the time less, with counters made in registers).
template <class Lane, int CHAINS, class Keys>
TG_HD void philox_rounds(typename Lane::Word (&c)[4][CHAINS], const Keys &keys) {
  TG_UNROLL for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < CHAINS; ++i) {
      typename Lane::Word p0 = Lane::product(c[0][i], 0xD2511F53u), p1 = Lane::product(c[2][i], 0xCD9E8D57u);
      c[0][i] = (p1 >> 32) ^ c[1][i] ^ Keys::low(keys, round);
      c[2][i] = (p0 >> 32) ^ c[3][i] ^ Keys::high(keys, round);
      c[1][i] = p1;
      c[3][i] = p0;
    }
  }
}

// words[lane], lane = 0..3, of one counter: those of elements 4*W*(counter / W) + W*lane + counter % W.
TG_HD void philox_counter(u32 *words, u64 counter, u32 step, u32 stream, u64 seed) {
  u64 c[4][1] = {{counter}, {counter >> 32}, {step}, {stream}};
  philox_rounds<Scalar, 1>(c, ScalarKeys{seed});
  for (int lane = 0; lane < 4; ++lane) words[lane] = (u32)c[lane][0];
}

// The word of one element, whatever its neighbours.
TG_HD u32 philox_word(u64 element, u32 step, u32 stream, u64 seed) {
  u32 words[4];
  philox_counter(words, element / (4 * PHILOX_W) * PHILOX_W + element % PHILOX_W, step, stream, seed);
  u32 lane = (u32)(element / PHILOX_W) % 4;
  return lane < 2 ? (lane ? words[1] : words[0]) : (lane == 2 ? words[2] : words[3]);
}

}  // namespace tg
