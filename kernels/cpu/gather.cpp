// The rows of a mini-batch, copied, or each of their bytes looked up in a table. A number out of range gives ones in
// every bit, which is NaN, or -1. The copies for 4 and for 8 bytes an element serve integers too.
#include "kernel.h"

namespace {

struct GatherArguments {
  void *out;
  const i64 *index;
  const void *rows, *table;  // of the table's 256 elements T, or null
  i64 count, total, width;
};

template <class T>
inline void gather(const GatherArguments &a) {
  const i64 width = a.width;
  parallel_pieces(a.count, PIECE / (width < 1 ? 1 : width < PIECE ? width : PIECE), [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      T *out = static_cast<T *>(a.out) + i * width;
      const i64 row = a.index[i];
      if (row < 0 || row >= a.total) {
        __builtin_memset(out, 0xff, sizeof(T) * (u64)width);
      } else if (a.table) {
        const unsigned char *codes = static_cast<const unsigned char *>(a.rows) + row * width;
        for (i64 c = 0; c < width; ++c) out[c] = static_cast<const T *>(a.table)[codes[c]];
      } else {
        __builtin_memcpy(out, static_cast<const T *>(a.rows) + row * width, sizeof(T) * (u64)width);
      }
    }
  });
}

}  // namespace

TG_KERNEL(gather, GatherArguments)
