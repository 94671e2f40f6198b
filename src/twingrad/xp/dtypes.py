"""Dtypes and what can be asked of them; the dtype objects are NumPy's, which CuPy shares."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from twingrad.namespace import is_bfloat16, namespace_of


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether `dtype` is of `kind`: a dtype, one of the standard's kind strings, or a tuple of these."""
    if is_bfloat16(dtype):
        return any(
            each in ("real floating", "numeric", dtype) for each in (kind if isinstance(kind, tuple) else (kind,))
        )
    return bool(_namespace_of_dtype(dtype).isdtype(dtype, kind))


class FInfo(NamedTuple):
    """Machine limits of a floating dtype, or of the parts of a complex one, as Python numbers."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


def finfo(type: Any, /) -> FInfo:
    """Machine limits of a floating dtype, or of an array's."""
    found = _namespace_of_dtype(_dtype(type)).finfo(_dtype(type))
    eps, smallest = float(found.eps), float(found.smallest_normal)
    return FInfo(int(found.bits), eps, float(found.max), float(found.min), smallest, found.dtype)


def iinfo(type: Any, /) -> Any:
    """Machine limits of an integer dtype, or of an array's."""
    return _namespace_of_dtype(_dtype(type)).iinfo(_dtype(type))


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion allows a cast of the dtype, or of the array's dtype, `from_` to the dtype `to`."""
    return bool(_namespace_of_dtype(_dtype(from_)).can_cast(_dtype(from_), to))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that promotion gives the arguments."""
    plain = [getattr(a, "data", a) if hasattr(a, "requires_grad") else a for a in arrays_and_dtypes]
    arrays = [a for a in plain if hasattr(a, "shape") and not isinstance(a, type | np.dtype)]  # dtypes have shapes too
    if arrays:
        return namespace_of(*arrays).result_type(*plain)
    dtypes = [d for d in plain if not isinstance(d, int | float | complex)]
    return _namespace_of_dtype(dtypes[0] if dtypes else np.float64).result_type(*plain)


def _dtype(given: Any) -> Any:
    """The dtype of an array; a dtype is its own, though some are classes with an attribute of that name."""
    return given if isinstance(given, type | np.dtype) else getattr(given, "dtype", given)


def _namespace_of_dtype(dtype: Any) -> Any:
    """NumPy for its own dtypes; a library with dtype objects of its own answers for them itself."""
    try:
        np.dtype(dtype)
    except TypeError:
        library = type(dtype).__module__.partition(".")[0]
        if library == "torch":
            import array_api_compat.torch

            return array_api_compat.torch
        return sys.modules[library]
    return np
