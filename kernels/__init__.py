"""The fused kernels: overrides of the operations in `twingrad.functional`, one folder for each backend.

include/   the mathematics of one element, once, for both: plain inline functions that g++, nvcc and NVRTC compile
arithmetic.py   + - * / and changes of shape in captured steps, by the kernels of either backend
cpu/       C++ over NumPy arrays, compiled at install; a thread pool; `launch` and `Program`
cuda/      CUDA over CuPy arrays, compiled when first used
"""
