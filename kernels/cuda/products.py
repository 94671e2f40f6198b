"""Matrix products on a GPU: transposes are flags, results go straight where they belong, and nothing is copied.

cuBLAS computes them, through CuPy's own binding; sums are float32's for bfloat16. TF32 is asked for call by call, and
no setting of CuPy's or of a handle is changed. Where the binding is missing, plain CuPy computes, with a fresh array
where a product is added.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

from twingrad.namespace import Array, is_bfloat16

REAL_32, REAL_64, BFLOAT_16 = 0, 1, 14
"""cudaDataType."""
COMPUTE_32, COMPUTE_64, FAST_TF32 = 68, 70, 77
"""cublasComputeType_t: of CUDA 11 and newer."""
DEFAULT_ALGORITHM = -1


class Mode(NamedTuple):
    """How cuBLAS computes a product: the types of the factors and of the result, and of what is in between."""

    factors: int
    result: int
    compute: int


def mode(out: Array, a: Array, *, tf32: bool = False) -> Mode:
    """The mode of a product of factors like `a`; TF32 is for float32 alone."""
    if a.dtype.itemsize == 8:
        return Mode(REAL_64, REAL_64, COMPUTE_64)
    factors, result = (BFLOAT_16 if is_bfloat16(array.dtype) else REAL_32 for array in (a, out))
    return Mode(factors, result, FAST_TF32 if tf32 and factors == REAL_32 else COMPUTE_32)


def product(
    out: Array, a: Array, b: Array, *, ta: bool = False, tb: bool = False, adds: bool = False, tf32: bool = False
) -> None:
    """out = op(a) op(b), added to out where `adds`: op transposes where `ta` or `tb`. All are C-contiguous.

    One dtype, float32 or float64; or factors of bfloat16, and a result of bfloat16 or float32. tf32: whether float32
    factors may be rounded to TF32.
    """
    if not out.size:
        return
    if not a.size:
        if not adds:
            out.fill(0)
        return
    with out.device:
        gemm = _gemm()
        if gemm is None:
            _plain(out, a.T if ta else a, b.T if tb else b, adds)
        else:
            _by_cublas(gemm, out, a, b, ta, tb, adds, mode(out, a, tf32=tf32))


def _by_cublas(gemm: Any, out: Array, a: Array, b: Array, ta: bool, tb: bool, adds: bool, how: Mode) -> None:
    """cuBLAS counts down columns: it is asked for the transposed product of the transposed factors, in its eyes."""
    import cupy

    (rows, columns), inner = out.shape, a.shape[0] if ta else a.shape[1]
    number = ctypes.c_double if how.compute == COMPUTE_64 else ctypes.c_float
    one, beta = number(1.0), number(1.0 if adds else 0.0)
    first = b.data.ptr, how.factors, b.shape[1]
    second = a.data.ptr, how.factors, a.shape[1]
    gemm(
        cupy.cuda.get_cublas_handle(),
        *(int(tb), int(ta), columns, rows, inner, ctypes.addressof(one)),
        *(*first, *second, ctypes.addressof(beta)),
        *(out.data.ptr, how.result, columns, how.compute, DEFAULT_ALGORITHM),
    )


def _gemm() -> Any:
    """cublasGemmEx as CuPy has it, or None."""
    try:
        from cupy.cuda import cublas
    except ImportError:
        return None
    return getattr(cublas, "gemmEx", None)


def _plain(out: Array, a: Array, b: Array, adds: bool) -> None:
    import cupy

    if a.dtype != out.dtype:
        a, b = a.astype(out.dtype), b.astype(out.dtype)
    if adds:
        out += a @ b
    else:
        cupy.matmul(a, b, out=out)
