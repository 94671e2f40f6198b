// What every element header stands on: fixed-width words, TG_HD, and the few functions whose names differ by compiler.
// Compiles with g++ or clang (CPU kernels), nvcc and NVRTC (CUDA kernels); NVRTC has no standard headers, so none is used.
// TG_HD functions have internal linkage: the CPU kernels are compiled once per instruction set, and no linker may merge them.
#pragma once

#if defined(__CUDACC__)
#define TG_HD static __host__ __device__ __forceinline__
#define TG_UNROLL _Pragma("unroll")
#else
#define TG_HD static inline __attribute__((always_inline))
#define TG_UNROLL _Pragma("GCC unroll 16")
#endif

namespace tg {

typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#if defined(__CUDA_ARCH__)
TG_HD float square_root(float x) { return sqrtf(x); }
TG_HD double square_root(double x) { return ::sqrt(x); }
#else
TG_HD float square_root(float x) { return __builtin_sqrtf(x); }
TG_HD double square_root(double x) { return __builtin_sqrt(x); }
#endif

// a b + c rounded once, where the machine has that: all GPUs, x86-64-v3 and -v4, aarch64. Elsewhere rounded twice.
#if defined(__CUDA_ARCH__)
TG_HD float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
TG_HD double multiply_add(double a, double b, double c) { return ::fma(a, b, c); }
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
TG_HD float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
TG_HD double multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
TG_HD float multiply_add(float a, float b, float c) { return a * b + c; }
TG_HD double multiply_add(double a, double b, double c) { return a * b + c; }
#endif

}  // namespace tg
