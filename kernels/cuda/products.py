"""Matrix products on a GPU: transposes are flags, results go straight where they belong, and nothing is copied.

cuBLAS computes them, through CuPy's own binding. Where that binding is missing, plain CuPy does, with a fresh array
where a product is added.
"""

from __future__ import annotations

from typing import Any

from twingrad.namespace import Array


def product(out: Array, a: Array, b: Array, *, ta: bool = False, tb: bool = False, adds: bool = False) -> None:
    """out = op(a) op(b), added to out where `adds`: op transposes where `ta` or `tb`. C-contiguous, of one dtype."""
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
            gemm("T" if ta else "N", "T" if tb else "N", a, b, out=out, alpha=1.0, beta=1.0 if adds else 0.0)


def _gemm() -> Any:
    """`cupy.cublas.gemm`, or None."""
    try:
        from cupy import cublas
    except ImportError:
        return None
    return getattr(cublas, "gemm", None)


def _plain(out: Array, a: Array, b: Array, adds: bool) -> None:
    import cupy

    if adds:
        out += a @ b
    else:
        cupy.matmul(a, b, out=out)
