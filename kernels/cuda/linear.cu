// What stands around the matrix products of a dense layer, which are cuBLAS's: bias and tail after it, and the gradient's way
// back through the tail with its sums down the columns, the bias's gradient. Moves 8 bytes an element in float32 forward, 12
// backward with a tail and 4 without; in bfloat16 half of that, and the sums are of what is not yet rounded.
#include "columns.cuh"
#include "tail.cuh"

using namespace tg;

namespace tg {

template <class T, class S>
struct Biased {
  const S *x;
  const T *bias;  // may be null
  __device__ bool in_packs() const { return aligned(x) && aligned(bias); }
  template <int N>
  __device__ Values<T, N> at(i64 i, i64 column) const {
    Values<T, N> v = read<T, N>(x, i);
    if (bias) {
      const Values<T, N> b = read<T, N>(bias, column);
      for (int k = 0; k < N; ++k) v.item[k] += b.item[k];
    }
    return v;
  }
};

}  // namespace tg

// out[i] = tail(out[i] + bias[column])
TG_GLOBAL(bias_tail, (S *out, const T *bias, i64 count, i64 columns, TG_TAIL_PARAMETERS),
          finish(out, count, columns, TG_TAIL_ARGUMENTS, false, Biased<T, S>{out, bias}))

// partial: the sums of a chunk's rows of grad, or with a tail of dy = the gradient before the tail, which is written.
template <class T, class S>
__device__ inline void slope_sums(Sums<T, 1> *partial, S *dy, const S *grad, const S *out, i64 rows, i64 columns, i64 lanes,
                                  i64 chunk, i64 kind, T slope, T scale) {
  constexpr int N = Pack<S>::SIZE;
  const bool packs = aligned(grad) && aligned(out) && aligned(dy);
  column_partials<S>(partial, rows, columns, lanes, chunk, packs, [=](const Place &at, Sums<T, 1> *total) {
    Values<T, N> g[HELD<S>];  // all of them are read before any is written: the compiler cannot know that dy is another array
#pragma unroll
    for (int k = 0; k < HELD<S>; ++k) {
      const i64 row = at.first + k * at.step, i = row * columns + at.column;
      g[k] = {};
      if (row < at.end) g[k] = read<T, N>(grad, i, at.packs, at.left);
      if (row < at.end && dy) slope_back(g[k], read<T, N>(out, i, at.packs, at.left), kind, slope, scale);
    }
    Sums<T, 1> held[N] = {};
#pragma unroll
    for (int k = 0; k < HELD<S>; ++k) {
      const i64 row = at.first + k * at.step;
      if (row < at.end && dy) write<N>(dy, row * columns + at.column, g[k], false, at.packs, at.left);
      for (int j = 0; j < N; ++j) held[j].value[0] += g[k].item[j];
    }
    for (int j = 0; j < N; ++j) total[j] = merge(total[j], held[j]);
  });
}

template <class T>
__device__ inline void column_sums(T *out, const Sums<T, 1> *partial, i64 chunks, i64 columns, i64 adds) {
  for (i64 c = thread_number(); c < columns; c += thread_count())
    put(out + c, column_total(partial, chunks, columns, c).value[0], adds);
}

TG_GLOBAL(slope_sums,
          (Sums<T, 1> *partial, S *dy, const S *grad, const S *out, i64 rows, i64 columns, i64 lanes, i64 chunk, i64 kind,
           T slope, T scale),
          ::slope_sums(partial, dy, grad, out, rows, columns, lanes, chunk, kind, slope, scale))
TG_GLOBAL(column_sums, (T *out, const Sums<T, 1> *partial, i64 chunks, i64 columns, i64 adds),
          ::column_sums(out, partial, chunks, columns, adds))
