// The exponential in plain arithmetic: it vectorises where the C library's does not, and gives the same bits on every
// device and with every C library. Within 2 units in the last place; overflows to infinity, underflows through the
// subnormals to 0, hands NaN on.
//
//   e^x = 2^n e^r,   n = round(x / ln 2),   r = x - n ln 2 in two parts (n times the first is exact),   |r| <= ln 2 / 2
//
// The approximations of e^r are those of Moshier's Cephes library: a polynomial in float32, a rational function in float64.
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

// Adding 1.5 2^23 (2^52 in float64) rounds to an integer and leaves it in the low bits. The power of two is applied in two
// halves, so that neither leaves the exponent's range where the result is subnormal or infinite.
TG_HD float exponential(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float shifted = x * 1.44269504088896341f + 12582912.0f, n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * (r * r) + r) + 1.0f;
  const u32 power = bits_of(shifted) - 0x4B400000u, half = ((power + 512u) >> 1) - 256u;
  return p * float_of((half + 127u) << 23) * float_of((power - half + 127u) << 23);
}

TG_HD double exponential(double x) {
  x = x < -746.0 ? -746.0 : x;
  x = x > 710.0 ? 710.0 : x;
  const double shifted = x * 1.4426950408889634073599 + 6755399441055744.0, n = shifted - 6755399441055744.0;
  const double r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6, rr = r * r;
  double p = 1.26177193074810590878e-4;
  p = p * rr + 3.02994407707441961300e-2;
  p = (p * rr + 1.0) * r;
  double q = 3.00198505138664455042e-6;
  q = q * rr + 2.52448340349684104192e-3;
  q = q * rr + 2.27265548208155028766e-1;
  q = q * rr + 2.0;
  const double e = 1.0 + 2.0 * (p / (q - p));
  const u64 power = bits_of(shifted) - 0x4338000000000000ull, half = ((power + 4096ull) >> 1) - 2048ull;
  return e * double_of((half + 1023ull) << 52) * double_of((power - half + 1023ull) << 52);
}

}  // namespace tg
