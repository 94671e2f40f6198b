// Philox words and dropout. Whole blocks of 4*W words fill a small buffer; dropout's mask is made there and never stored.
// Dropout moves 8 bytes an element in float32 (reads x, writes out); its time is the generator's: see philox.h.
#include "../include/dropout.h"
#include "kernel.h"
#include "lanes.h"

namespace {

constexpr i64 BLOCK = 4 * PHILOX_W;

struct WordsArguments {
  u32 *out;
  i64 count, first;  // words of elements first, ..., first + count - 1, counted from the start of block `block`
  u64 seed, block;
  i64 stream, step;
};

// Runs f(words, element, count) over consecutive elements begin..end, `words` being those of `element` and its successors;
// elements count from the start of block `first`.
template <class F>
inline void each_block(i64 begin, i64 end, u64 first, u64 seed, i64 stream, i64 step, const F &f) {
  alignas(64) u32 words[BLOCK];
  for (i64 element = begin; element < end;) {
    i64 skip = element % BLOCK, count = BLOCK - skip < end - element ? BLOCK - skip : end - element;
    philox_block<PHILOX_W>(words, first + (u64)(element / BLOCK), (u32)step, (u32)stream, seed);
    if (count == BLOCK)
      f(words, element, BLOCK);
    else
      f(words + skip, element, count);
    element += count;
  }
}

inline void philox_words(const WordsArguments &a) {
  parallel_pieces(a.count, PIECE, [&](i64 begin, i64 end) {
    auto keep = [&](const u32 *words, i64 element, i64 count) {
      __builtin_memcpy(a.out + (element - a.first), words, sizeof(u32) * (u64)count);
    };
    each_block(a.first + begin, a.first + end, a.block, a.seed, a.stream, a.step, keep);
  });
}

struct DropoutArguments {
  void *out;
  const void *x;
  const i64 *cell;  // the step is *cell + offset
  i64 count, offset;
  u64 seed;
  i64 stream, threshold;
  double scale;
};

template <class T>
inline void dropout(const DropoutArguments &a) {
  const T *x = static_cast<const T *>(a.x), scale = (T)a.scale;
  T *out = static_cast<T *>(a.out);
  const u32 last = (u32)(a.threshold - 1);
  const i64 step = *a.cell + a.offset;
  parallel_pieces(a.count, PIECE, [&](i64 begin, i64 end) {
    if (a.threshold == 0) {
      for (i64 i = begin; i < end; ++i) out[i] = T(0);
      return;
    }
    each_block(begin, end, 0, a.seed, a.stream, step, [&](const u32 *words, i64 element, i64 count) {
      for (i64 i = 0; i < count; ++i) out[element + i] = tg::dropout(x[element + i], words[i], last, scale);
    });
  });
}

}  // namespace

TG_ENTRY(philox_words, _u32_, philox_words, WordsArguments)
TG_KERNEL(dropout, DropoutArguments)
