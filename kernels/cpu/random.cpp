// Philox words and dropout, which moves 8 bytes an element in float32 (reads x, writes out); its time is the generator's: see
// philox.h.
#include "masks.h"

namespace {

struct WordsArguments {
  u32 *out;
  i64 count, first;  // words of elements first, ..., first + count - 1, counted from the start of block `block`
  u64 seed, block;
  i64 stream, step;
};

inline void philox_words(const WordsArguments &a) {
  parallel_pieces(a.count, PIECE, [&](i64 begin, i64 end) {
    auto keep = [&](const u32 *words, i64 element, i64 count) {
      __builtin_memcpy(a.out + (element - a.first), words, sizeof(u32) * (u64)count);
    };
    Words words(a.seed, a.stream, a.step, a.block);
    each_block(words, a.first + begin, a.first + end, keep);
  });
}

struct DropoutArguments {
  void *out;
  const void *x;
  const i64 *cell;  // the step is *cell + mask.offset
  i64 count;
  Mask mask;
};

template <class T>
inline void dropout(const DropoutArguments &a) {
  const i64 step = *a.cell + a.mask.offset;
  parallel_pieces(a.count, PIECE, [&](i64 begin, i64 end) {
    drop(static_cast<T *>(a.out), static_cast<const T *>(a.x), begin, end, a.mask, step);
  });
}

}  // namespace

TG_ENTRY(philox_words, _u32_, philox_words, WordsArguments)
TG_KERNEL(dropout, DropoutArguments)
