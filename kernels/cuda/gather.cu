// The rows of a mini-batch, from a data set on the GPU: copied, or each of their bytes looked up in a table of 256. A team takes
// a row, 16 bytes of the result at once where the rows and their addresses allow. A number out of range gives ones in
// every bit, which is NaN, or -1, and reads nothing out of bounds. Moves 2 * sizeof(T) bytes an element, 1 + sizeof(T) from
// bytes: the table stays in the first cache. The copies for 2, 4 and 8 bytes an element serve integers too.
#include "team.cuh"

using namespace tg;

namespace tg {

template <class T>
struct Copied {
  const T *rows;
  __device__ bool in_packs() const { return aligned(rows); }
  __device__ T one(i64 i) const { return rows[i]; }
  __device__ Pack<T> pack(i64 i) const { return *(const Pack<T> *)(rows + i); }
};

template <class T>
struct LookedUp {
  static constexpr int SIZE = Pack<T>::SIZE;
  struct alignas(SIZE) Codes {
    unsigned char item[SIZE];
  };
  const unsigned char *rows;
  const T *table;
  __device__ bool in_packs() const { return (u64)rows % SIZE == 0; }
  __device__ T one(i64 i) const { return table[rows[i]]; }
  __device__ Pack<T> pack(i64 i) const {
    const Codes codes = *(const Codes *)(rows + i);
    Pack<T> found;
    for (int k = 0; k < SIZE; ++k) found.item[k] = table[codes.item[k]];
    return found;
  }
};

template <class T, class Source>
struct Gather {
  T *out;
  const i64 *index;
  Source source;
  i64 total, width;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    constexpr int SIZE = Pack<T>::SIZE;
    const i64 number = index[r], from = number * width, to = r * width;
    if (number < 0 || number >= total) {
      for (i64 b = lane; b < width * (i64)sizeof(T); b += LANES) ((unsigned char *)(out + to))[b] = 0xff;
      return;
    }
    const i64 whole = width % SIZE == 0 && aligned(out) && source.in_packs() ? width / SIZE : 0;
    for (i64 p = lane; p < whole; p += LANES) ((Pack<T> *)(out + to))[p] = source.pack(from + p * SIZE);
    for (i64 c = whole * SIZE + lane; c < width; c += LANES) out[to + c] = source.one(from + c);
  }
};

template <class T, class Source>
__device__ inline void gather_rows(T *out, const i64 *index, Source source, i64 count, i64 total, i64 width) {
  each_row(count, ceil_div(width, Pack<T>::SIZE), Gather<T, Source>{out, index, source, total, width});
}

}  // namespace tg

TG_GLOBAL(gather, (S *out, const i64 *index, const S *rows, i64 count, i64 total, i64 width),
          gather_rows(out, index, Copied<S>{rows}, count, total, width))
TG_GLOBAL(look_up, (S *out, const i64 *index, const unsigned char *rows, const S *table, i64 count, i64 total, i64 width),
          gather_rows(out, index, LookedUp<S>{rows, table}, count, total, width))
