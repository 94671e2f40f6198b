"""Matrix products on a GPU: transposes are flags, results go straight where they belong, and nothing is copied.

cublasLt computes them (lt.py), or where it is missing cuBLAS, through CuPy's own binding; sums are float32's for
bfloat16. TF32 is asked for call by call, and no setting of CuPy's or of a handle is changed. Where that binding is
missing too, plain CuPy computes, with a fresh array where a product is added. Only cublasLt's products can be captured:
CuPy lends cuBLAS to no capturing stream.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from twingrad.fusable import note
from twingrad.kernels.cuda import lt
from twingrad.kernels.cuda.arguments import clear
from twingrad.kernels.cuda.modes import COMPUTE_64, Mode, mode
from twingrad.namespace import Array
from twingrad.recording import refuse_while_recording

DEFAULT_ALGORITHM = -1


def product(
    out: Array, a: Array, b: Array, *, ta: bool = False, tb: bool = False, adds: bool = False, tf32: bool = False
) -> None:
    """out = op(a) op(b), added to out where `adds`: op transposes where `ta` or `tb`. All are C-contiguous.

    One dtype, float32 or float64; or factors of bfloat16, and a result of bfloat16 or float32. tf32: whether float32
    factors may be rounded to TF32.
    """
    if not out.size:
        return
    with out.device:
        if not a.size:
            if not adds:
                clear(out)
        elif not (fused() and lt.multiply(out, a, b, ta=ta, tb=tb, adds=adds, tf32=tf32)):
            refuse_while_recording("a matrix product on a GPU", lt.unavailable() or "cublasLt has no algorithm for it")
            _by_cupy(out, a, b, ta, tb, adds, mode(out, a, tf32=tf32))


@functools.cache
def fused() -> bool:
    """Whether cublasLt is here, with its epilogues; where it is not, `fused_report` tells why, once."""
    reason = lt.unavailable()
    if reason is not None:
        note("linear", "cuda", f"bias and ReLU take a pass of their own, and steps are not captured: {reason}")
    return reason is None


def _by_cupy(out: Array, a: Array, b: Array, ta: bool, tb: bool, adds: bool, how: Mode) -> None:
    gemm = _gemm()
    if gemm is not None:
        _by_cublas(gemm, out, a, b, ta, tb, adds, how)
    else:
        _plain(out, a.T if ta else a, b.T if tb else b, adds)


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
