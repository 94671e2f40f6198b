// What every element header stands on: fixed-width words, TG_HD, and the few functions whose names differ by compiler.
// Compiles with g++ or clang (CPU kernels), nvcc and NVRTC (CUDA kernels); NVRTC has no standard headers, so none is used.
// TG_HD functions have internal linkage: the CPU kernels are compiled once per instruction set, and no linker may merge them.
#pragma once

#if defined(__CUDACC__)
#define TG_HD static __host__ __device__ __forceinline__
#else
#define TG_HD static inline __attribute__((always_inline))
#endif

namespace tg {

typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#if defined(__CUDA_ARCH__)
TG_HD float square_root(float x) { return sqrtf(x); }
TG_HD double square_root(double x) { return ::sqrt(x); }
TG_HD float logarithm(float x) { return logf(x); }
TG_HD double logarithm(double x) { return ::log(x); }
TG_HD float logarithm_1p(float x) { return log1pf(x); }
TG_HD double logarithm_1p(double x) { return ::log1p(x); }
#else
TG_HD float square_root(float x) { return __builtin_sqrtf(x); }
TG_HD double square_root(double x) { return __builtin_sqrt(x); }
TG_HD float logarithm(float x) { return __builtin_logf(x); }
TG_HD double logarithm(double x) { return __builtin_log(x); }
TG_HD float logarithm_1p(float x) { return __builtin_log1pf(x); }
TG_HD double logarithm_1p(double x) { return __builtin_log1p(x); }
#endif

}  // namespace tg
