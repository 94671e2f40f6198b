// The random words of neighbouring elements; the generator and its layout are in ../include/philox.h.
//
// One counter a thread gives the words of four elements, PHILOX_W apart, so that neighbouring threads write neighbouring
// words. Computed, not memory-bound: 20 wide multiplications for 16 bytes.
#include "grid.cuh"
#include "philox.h"

// out[i] = the word of element first + i at step *cell + offset, i < count.
extern "C" __global__ void __launch_bounds__(tg::THREADS)
    philox_words(tg::u32 *out, tg::i64 count, tg::i64 first, tg::u64 seed, tg::i64 stream, const tg::i64 *cell,
                 tg::i64 offset) {
  using namespace tg;
  const i64 block = 4 * PHILOX_W, from = first / block, to = (first + count + block - 1) / block;
  const u32 step = (u32)(*cell + offset);
  for (i64 c = from * PHILOX_W + thread_number(); c < to * PHILOX_W; c += thread_count()) {
    u32 words[4];
    philox_counter(words, (u64)c, step, (u32)stream, seed);
    const i64 start = c / PHILOX_W * block + c % PHILOX_W - first;
    for (int lane = 0; lane < 4; ++lane) {
      const i64 i = start + lane * PHILOX_W;
      if (0 <= i && i < count) out[i] = words[lane];
    }
  }
}
