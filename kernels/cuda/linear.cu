// What stands around the matrix products of a dense layer, which are cuBLAS's: bias and tail after it, and the gradient's way
// back through the tail with its sums down the columns, the bias's gradient. Moves 8 bytes an element in float32 forward, 12
// backward with a tail and 4 without; in bfloat16 half of that, and the sums are of what is not yet rounded.
#include "columns.cuh"
#include "tail.cuh"

using namespace tg;

// out[i] = tail(out[i] + bias[column]); bias may be null
TG_GLOBAL(bias_tail, (S *out, const T *bias, i64 count, i64 columns, TG_TAIL_PARAMETERS),
          finish(out, count, columns, TG_TAIL_ARGUMENTS,
                 [=](i64 i, i64 column) { return bias ? T(out[i]) + bias[column] : T(out[i]); }))

// partial: the sums of a chunk's rows of grad, or with a tail of dy = the gradient before the tail, which is written.
template <class T, class S>
__device__ inline void slope_sums(Sums<T, 1> *partial, S *dy, const S *grad, const S *out, i64 rows, i64 columns, i64 lanes,
                                  i64 chunk, i64 kind, T slope, T scale) {
  column_partials(partial, rows, columns, lanes, chunk, [=](i64 first, i64 end, i64 step, i64 column) {
    T g[HELD];  // all of them are read before any is written: the compiler cannot know that dy is another array
#pragma unroll
    for (int k = 0; k < HELD; ++k) {
      const i64 row = first + k * step, i = row * columns + column;
      g[k] = row < end ? T(grad[i]) : T(0);
      if (dy && row < end) g[k] = tail_slope(T(out[i]), g[k], kind, slope, scale);
    }
    Sums<T, 1> held = {};
#pragma unroll
    for (int k = 0; k < HELD; ++k) {
      const i64 row = first + k * step;
      if (dy && row < end) dy[row * columns + column] = g[k];
      held.value[0] += g[k];
    }
    return held;
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
