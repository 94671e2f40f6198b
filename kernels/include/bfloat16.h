// bfloat16 as storage: the upper half of a float32, which has its range and 8 bits of precision. Arithmetic is float32's:
// a kernel widens what it reads, which is exact, and rounds what it writes, to nearest and of two as near to the even one.
//
//   bits = (b + 0x7fff + (bit 16 of b)) >> 16,  b the bits of the float32:  beyond the largest this gives infinity;
//   NaN stays NaN (quiet, with the upper bits of its payload; on a GPU 0x7fff): the sum could carry it into infinity.
//
// GPUs of compute capability 8.0 and newer have an instruction for it, which gives these bits.
#pragma once
#include "exp.h"

#if defined(__CUDACC__)
#define TG_MEMBER __host__ __device__ __forceinline__
#else
#define TG_MEMBER inline __attribute__((always_inline))
#endif

namespace tg {

TG_HD unsigned short bfloat16_bits(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#else
  const u32 b = bits_of(x), nearest = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
  return (unsigned short)(x != x ? (b >> 16) | 0x40u : nearest);
#endif
}

struct bfloat16 {
  unsigned short bits;
  bfloat16() = default;
  TG_MEMBER bfloat16(float x) : bits(bfloat16_bits(x)) {}
  TG_MEMBER explicit operator float() const { return float_of((u32)bits << 16); }
};

}  // namespace tg
