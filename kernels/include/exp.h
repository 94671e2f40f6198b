// The exponential in plain arithmetic: it vectorises where the C library's does not, and gives the same bits on every device
// that multiplies and adds in one rounding (base.h). Within 1 unit in the last place, 2 without that; overflows to infinity,
// underflows through the subnormals to 0, hands NaN on.
//
//   e^x = 2^n e^r,   n = round(x / ln 2),   r = x - n ln 2 in two parts (n times the first is exact),   |r| <= ln 2 / 2
//   e^r - 1 = r + r^2 P(r),   P the polynomial through (e^r - 1 - r) / r^2 at the Chebyshev points; relative error < 1e-9, 1e-18
#pragma once
#include "base.h"

namespace tg {

#if defined(__CUDA_ARCH__)
TG_HD u32 bits_of(float x) { return __float_as_uint(x); }
TG_HD u64 bits_of(double x) { return (u64)__double_as_longlong(x); }
TG_HD float float_of(u32 bits) { return __uint_as_float(bits); }
TG_HD double double_of(u64 bits) { return __longlong_as_double((i64)bits); }
#else
TG_HD u32 bits_of(float x) {
  u32 bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}
TG_HD u64 bits_of(double x) {
  u64 bits;
  __builtin_memcpy(&bits, &x, 8);
  return bits;
}
TG_HD float float_of(u32 bits) {
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}
TG_HD double double_of(u64 bits) {
  double x;
  __builtin_memcpy(&x, &bits, 8);
  return x;
}
#endif

TG_HD float infinite(float) { return float_of(0x7f800000u); }
TG_HD double infinite(double) { return double_of(0x7ff0000000000000ull); }

TG_HD float with_sign_of(float x, float size) {
  return float_of((bits_of(size) & 0x7fffffffu) | (bits_of(x) & 0x80000000u));
}
TG_HD double with_sign_of(double x, double size) {
  return double_of((bits_of(size) & 0x7fffffffffffffffull) | (bits_of(x) & 0x8000000000000000ull));
}

// |x|: a choice between x and -x takes two instructions more, in a chain that all others wait for.
template <class T>
TG_HD T magnitude(T x) {
  return with_sign_of(T(0), x);
}

// The value at x of the polynomial with these coefficients, the highest first.
template <class T>
TG_HD T polynomial(T, T constant) {
  return constant;
}
template <class T, class... Rest>
TG_HD T polynomial(T x, T first, T second, Rest... rest) {
  return polynomial(x, multiply_add(first, x, second), rest...);
}

// x = power ln 2 + r, and e^r - 1, for |x| < 2^10. Adding 1.5 2^23 (2^52 in float64) rounds to an integer and leaves it in the
// low bits.
template <class T, class Bits>
struct Reduced {
  Bits power;
  T minus_1;
};

TG_HD Reduced<float, u32> reduced(float x) {
  const float shifted = multiply_add(x, 1.44269504088896341f, 12582912.0f), n = shifted - 12582912.0f;
  const float r = multiply_add(n, 2.12194440e-4f, multiply_add(n, -0.693359375f, x));
  const float p = polynomial(r, 1.989099110e-4f, 1.393364975e-3f, 8.333310485e-3f, 4.166646674e-2f, 1.666666716e-1f, 0.5f);
  return Reduced<float, u32>{bits_of(shifted) - 0x4B400000u, multiply_add(p, r * r, r)};
}

TG_HD Reduced<double, u64> reduced(double x) {
  const double shifted = multiply_add(x, 1.4426950408889634073599, 6755399441055744.0), n = shifted - 6755399441055744.0;
  const double r = multiply_add(n, -1.42860682030941723212e-6, multiply_add(n, -6.93145751953125e-1, x));
  const double p = polynomial(r, 2.0914686968086876e-09, 2.5105217004720745e-08, 2.75572736431103e-07, 2.7557255400206422e-06,
                              2.4801587325547743e-05, 1.9841269874820627e-04, 1.3888888888883748e-03, 8.333333333326136e-03,
                              4.166666666666667e-02, 1.666666666666667e-01, 0.5);
  return Reduced<double, u64>{bits_of(shifted) - 0x4338000000000000ull, multiply_add(p, r * r, r)};
}

TG_HD float power_of_two(u32 n) { return float_of((n + 127u) << 23); }
TG_HD double power_of_two(u64 n) { return double_of((n + 1023ull) << 52); }

// The power of two is applied in two halves, so that neither leaves the exponent's range where the result is subnormal or
// infinite.
TG_HD float exponential(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const Reduced<float, u32> e = reduced(x);
  const u32 half = ((e.power + 512u) >> 1) - 256u;
  return (e.minus_1 + 1.0f) * power_of_two(half) * power_of_two(e.power - half);
}

TG_HD double exponential(double x) {
  x = x < -746.0 ? -746.0 : x;
  x = x > 710.0 ? 710.0 : x;
  const Reduced<double, u64> e = reduced(x);
  const u64 half = ((e.power + 4096ull) >> 1) - 2048ull;
  return (e.minus_1 + 1.0) * power_of_two(half) * power_of_two(e.power - half);
}

}  // namespace tg
