// Arithmetic of two arrays of equal shape, or of an array and one number: 12 bytes an element in float32. A step is 1, or 0
// where that operand is one number; one of them is an array. Each operation is rounded once to the stored type, as the array's library does it.
#include "elementwise.cuh"

using namespace tg;

namespace tg {

template <class T, class S, class F>
__device__ inline void arithmetic(S *out, const S *x, const S *y, i64 count, i64 x_step, i64 y_step, F f) {
  if (x_step && y_step) {
    map<T>(out, x, y, count, false, f);
  } else if (x_step) {
    const T one = T(*y);
    map<T>(out, x, count, [=](T a) { return f(a, one); });
  } else {
    const T one = T(*x);
    map<T>(out, y, count, [=](T b) { return f(one, b); });
  }
}

}  // namespace tg

TG_GLOBAL(sum_of, (S *out, const S *x, const S *y, i64 count, i64 x_step, i64 y_step),
          arithmetic<T>(out, x, y, count, x_step, y_step, [](T a, T b) { return a + b; }))
TG_GLOBAL(difference_of, (S *out, const S *x, const S *y, i64 count, i64 x_step, i64 y_step),
          arithmetic<T>(out, x, y, count, x_step, y_step, [](T a, T b) { return a - b; }))
TG_GLOBAL(product_of, (S *out, const S *x, const S *y, i64 count, i64 x_step, i64 y_step),
          arithmetic<T>(out, x, y, count, x_step, y_step, [](T a, T b) { return a * b; }))
TG_GLOBAL(quotient_of, (S *out, const S *x, const S *y, i64 count, i64 x_step, i64 y_step),
          arithmetic<T>(out, x, y, count, x_step, y_step, [](T a, T b) { return a / b; }))
