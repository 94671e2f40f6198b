// The logarithm in plain arithmetic, as the exponential is in exp.h: it vectorises, and gives the same bits on every device.
// Within 1 unit in the last place; log(0) is -infinity, of a negative number NaN; infinity and NaN are handed on.
//
//   log(2^n (1 + f)) = n ln 2 + log(1 + f),   sqrt(1/2) <= 1 + f < sqrt(2);    with s = f / (2 + f),
//   log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)),   R a polynomial: FreeBSD's msun, e_logf.c and e_log.c (Sun Microsystems)
//
// logarithm_1p is for 0 <= e <= 1 alone, the range of e^-|x|, and within 1.5 units: there f is e, or (e - 1) / 2 with n = 1,
// and loses no digits.
#pragma once
#include "exp.h"

namespace tg {

TG_HD float logarithm_of(float n, float f) {
  const float s = f / (2.0f + f), z = s * s, half = 0.5f * f * f;
  const float r = z * polynomial(z, 0.24279078841f, 0.28498786688f, 0.40000972152f, 0.66666662693f);
  return multiply_add(n, 6.9313812256e-01f, (multiply_add(s, half + r, n * 9.0580006145e-06f) - half) + f);
}

TG_HD double logarithm_of(double n, double f) {
  const double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  const double r = z * polynomial(z, 1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
                                  2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
                                  6.666666666666735130e-01);
  return multiply_add(n, 6.93147180369123816490e-01, (multiply_add(s, half + r, n * 1.90821492927058770002e-10) - half) + f);
}

// What is outside the range of the formula.
template <class T>
TG_HD T logarithm_at_edges(T x, T inside) {
  const T least = x == T(0) ? -infinite(x) : inside, real = x < T(0) ? infinite(x) * T(0) : least;
  return x < infinite(x) ? real : x;
}

// Subnormals are scaled into the normal range first. Subtracting the bits of sqrt(1/2) leaves n in the exponent's place.
TG_HD float logarithm(float x) {
  const bool small = x < 1.17549435e-38f;
  const u32 bits = bits_of(small ? x * 33554432.0f : x), shifted = bits - 0x3f3504f3u;
  const float n = (float)((int)shifted >> 23) - (small ? 25.0f : 0.0f);
  const float m = float_of((shifted & 0x007fffffu) + 0x3f3504f3u);
  return logarithm_at_edges(x, logarithm_of(n, m - 1.0f));
}

TG_HD double logarithm(double x) {
  const bool small = x < 2.2250738585072014e-308;
  const u64 bits = bits_of(small ? x * 18014398509481984.0 : x), shifted = bits - 0x3fe6a09e667f3bcdull;
  // n + 2048 as the low bits of a number in [2^52, 2^53): AVX2 has no conversion of 64-bit integers
  const u64 exponent = (shifted + (2048ull << 52)) >> 52;
  const double n = (double_of(exponent | 0x4330000000000000ull) - (4503599627370496.0 + 2048.0)) - (small ? 54.0 : 0.0);
  const double m = double_of((shifted & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
  return logarithm_at_edges(x, logarithm_of(n, m - 1.0));
}

template <class T>
TG_HD T logarithm_1p(T e) {
  const bool large = e > T(0.41421356);
  return logarithm_of(large ? T(1) : T(0), large ? (e - T(1)) * T(0.5) : e);
}

}  // namespace tg
