// Arithmetic of two arrays of equal shape, or of an array and one number: 12 bytes an element in float32.
#include "kernel.h"

namespace {

struct ArithmeticArguments {
  void *out;
  const void *x, *y;
  i64 count, x_step, y_step;  // a step is 1, or 0 where the operand is one number
};

template <class T, class F>
inline void arithmetic(const ArithmeticArguments &a, const F &f) {
  const T *x = static_cast<const T *>(a.x), *y = static_cast<const T *>(a.y);
  T *out = static_cast<T *>(a.out);
  const bool many_x = a.x_step != 0, many_y = a.y_step != 0;
  parallel_pieces(a.count, PIECE, [=](i64 begin, i64 end) {
    const T one_x = *x, one_y = *y;
    if (many_x && many_y)
      for (i64 i = begin; i < end; ++i) out[i] = f(x[i], y[i]);
    else if (many_x)
      for (i64 i = begin; i < end; ++i) out[i] = f(x[i], one_y);
    else
      for (i64 i = begin; i < end; ++i) out[i] = f(one_x, many_y ? y[i] : one_y);
  });
}

template <class T>
inline void sum_of(const ArithmeticArguments &a) {
  arithmetic<T>(a, [](T x, T y) { return x + y; });
}

template <class T>
inline void difference_of(const ArithmeticArguments &a) {
  arithmetic<T>(a, [](T x, T y) { return x - y; });
}

template <class T>
inline void product_of(const ArithmeticArguments &a) {
  arithmetic<T>(a, [](T x, T y) { return x * y; });
}

template <class T>
inline void quotient_of(const ArithmeticArguments &a) {
  arithmetic<T>(a, [](T x, T y) { return x / y; });
}

}  // namespace

TG_KERNEL(sum_of, ArithmeticArguments)
TG_KERNEL(difference_of, ArithmeticArguments)
TG_KERNEL(product_of, ArithmeticArguments)
TG_KERNEL(quotient_of, ArithmeticArguments)
