// Rows of a table by their numbers, and the table's gradient. A number out of range gives a row of NaN and no gradient, and
// reads nothing out of bounds. The gradient of a row that is looked up several times is their sum in the order of the
// look-ups: tiles are pieces of the table's columns, so that the order depends on nothing else.
#include "kernel.h"

namespace {

struct EmbeddingArguments {
  void *out;
  const i64 *indices;
  const void *rows;  // the table; or the gradient of the looked-up rows
  i64 count, vocabulary, width, accumulate;
};

template <class T>
inline void embedding(const EmbeddingArguments &a) {
  const i64 width = a.width;
  parallel_pieces(a.count, PIECE / (width < 1 ? 1 : width < PIECE ? width : PIECE), [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      T *out = static_cast<T *>(a.out) + i * width;
      const i64 row = a.indices[i];
      if (row < 0 || row >= a.vocabulary)
        for (i64 c = 0; c < width; ++c) out[c] = (T)__builtin_nan("");
      else
        __builtin_memcpy(out, static_cast<const T *>(a.rows) + row * width, sizeof(T) * (u64)width);
    }
  });
}

template <class T>
inline void embedding_backward(const EmbeddingArguments &a) {
  parallel_columns(a.width, [&](i64 begin, i64 width) {
    T *out = static_cast<T *>(a.out) + begin;
    const T *grad = static_cast<const T *>(a.rows) + begin;
    if (!a.accumulate)
      for (i64 row = 0; row < a.vocabulary; ++row)
        for (i64 c = 0; c < width; ++c) out[row * a.width + c] = T(0);
    for (i64 i = 0; i < a.count; ++i) {
      const i64 row = a.indices[i];
      if (row < 0 || row >= a.vocabulary) continue;
      for (i64 c = 0; c < width; ++c) out[row * a.width + c] += grad[i * a.width + c];
    }
  });
}

}  // namespace

TG_KERNEL(embedding, EmbeddingArguments)
TG_KERNEL(embedding_backward, EmbeddingArguments)
