// Rows of a table by their numbers, and the table's gradient. A number out of range gives a row of NaN and no gradient, and
// reads nothing out of bounds. The gradient of a row that is looked up several times is their sum in the order of the
// look-ups: these come sorted by row, in that order, and a team walks the run of its row. A row that is looked up very often
// takes one team's time; nothing is added by two at once.
#include "exp.h"
#include "team.cuh"

using namespace tg;

namespace tg {

template <class T, class S>
struct Lookup {
  S *out;
  const i64 *indices;
  const S *table;
  i64 vocabulary, width;

  template <int LANES>
  __device__ void row(i64 r, i64 lane) const {
    constexpr int N = Pack<S>::SIZE;
    const i64 number = indices[r];
    const bool valid = number >= 0 && number < vocabulary;
    const S *from = table + (valid ? number * width : 0);
    S *to = out + r * width;
    const bool packs = aligned(from) && aligned(to);
    each_pack<LANES, N>(lane, width, [=](i64 c, i64 left) {
      Values<T, N> v = {};
      if (valid) v = read<T, N>(from, c, packs, left);
      for (int k = 0; k < N; ++k) v.item[k] = valid ? v.item[k] : infinite(T(0)) * T(0);
      write<N>(to, c, v, false, packs, left);
    });
  }
};

// order: the look-ups sorted by their numbers; where a run of one number begins, all of it is added to the table's row.
template <class T, class S>
struct LookupSlope {
  S *table;
  const i64 *indices, *order;
  const S *grad;
  i64 count, vocabulary, width;

  template <int LANES>
  __device__ void row(i64 first, i64 lane) const {
    const i64 number = indices[order[first]];
    if (number < 0 || number >= vocabulary || (first > 0 && indices[order[first - 1]] == number)) return;
    constexpr int N = Pack<S>::SIZE;
    S *to = table + number * width;
    const bool packs = aligned(to) && aligned(grad) && width % N == 0;
    each_pack<LANES, N>(lane, width, [=, *this](i64 c, i64 left) {
      Values<T, N> total = read<T, N>(to, c, packs, left);
      for (i64 k = first; k < count && indices[order[k]] == number; ++k) {
        const Values<T, N> g = read<T, N>(grad, order[k] * width + c, packs, left);
        for (int j = 0; j < N; ++j) total.item[j] += g.item[j];
      }
      write<N>(to, c, total, false, packs, left);
    });
  }
};

}  // namespace tg

TG_GLOBAL(embedding, (S *out, const i64 *indices, const S *table, i64 count, i64 vocabulary, i64 width),
          each_row(count, width, Lookup<T, S>{out, indices, table, vocabulary, width}))
TG_GLOBAL(embedding_backward,
          (S *table, const i64 *indices, const i64 *order, const S *grad, i64 count, i64 vocabulary, i64 width),
          each_row(count, width, LookupSlope<T, S>{table, indices, order, grad, count, vocabulary, width}))
