"""Dtypes and what can be asked of them; the dtype objects are NumPy's, which CuPy shares."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from twingrad.namespace import dtype_in, is_bfloat16, library_of, namespace_of


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether `dtype` is of `kind`: a dtype, one of the standard's kind strings, or a tuple of these."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if is_bfloat16(dtype):
        return any(each in ("real floating", "numeric", dtype) for each in kinds)
    namespace = _namespace_of_dtypes(dtype)
    return bool(namespace.isdtype(dtype, tuple([k if isinstance(k, str) else dtype_in(namespace, k) for k in kinds])))


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
    found = _namespace_of_dtypes(_dtype(type)).finfo(_dtype(type))
    eps, smallest = float(found.eps), float(found.smallest_normal)
    return FInfo(int(found.bits), eps, float(found.max), float(found.min), smallest, found.dtype)


def iinfo(type: Any, /) -> Any:
    """Machine limits of an integer dtype, or of an array's."""
    return _namespace_of_dtypes(_dtype(type)).iinfo(_dtype(type))


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion allows a cast of the dtype, or of the array's dtype, `from_` to the dtype `to`."""
    namespace = _namespace_of_dtypes(_dtype(from_), to)
    return bool(namespace.can_cast(dtype_in(namespace, _dtype(from_)), dtype_in(namespace, to)))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that promotion gives the arguments."""
    plain = [getattr(a, "data", a) if hasattr(a, "requires_grad") else a for a in arrays_and_dtypes]
    arrays = [a for a in plain if hasattr(a, "shape") and not isinstance(a, type | np.dtype)]  # dtypes have shapes too
    dtypes = [d for d in plain if not isinstance(d, int | float | complex)]
    namespace = namespace_of(*arrays) if arrays else _namespace_of_dtypes(*dtypes)
    return namespace.result_type(*[dtype_in(namespace, p) if isinstance(p, type | np.dtype) else p for p in plain])


def _dtype(given: Any) -> Any:
    """The dtype of an array; a dtype is its own, though some are classes with an attribute of that name."""
    return given if isinstance(given, type | np.dtype) else getattr(given, "dtype", given)


def _namespace_of_dtypes(*dtypes: Any) -> Any:
    """The library that has dtype objects of its own among these, else NumPy, whose dtypes others know by name."""
    for dtype in dtypes:
        try:
            np.dtype(dtype)
        except TypeError:
            return library_of(dtype)
    return np
