"""How cuBLAS and cublasLt compute a product, by the numbers of their enumerations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twingrad.namespace import Array, is_bfloat16

REAL_32, REAL_64, BFLOAT_16 = 0, 1, 14
"""cudaDataType."""
COMPUTE_32, COMPUTE_64, FAST_TF32 = 68, 70, 77
"""cublasComputeType_t: of CUDA 11 and newer."""


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


SCALES = {COMPUTE_32: (REAL_32, np.float32), FAST_TF32: (REAL_32, np.float32), COMPUTE_64: (REAL_64, np.float64)}
"""The type of alpha and beta for each computation, by cudaDataType's number and NumPy's name."""
