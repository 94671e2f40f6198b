"""What functions of NumPy's namespace end in, which are several times as dear on small arrays, to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]


def ufunc_of(name: str) -> Any:
    """NumPy's ufunc of that name."""
    found = getattr(np, name, None)
    return found if isinstance(found, np.ufunc) and found.nin in (1, 2) and found.nout == 1 else None


def _reshaped(x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    return x.reshape(shape) if copy is None else np.reshape(x, shape, copy=copy)


def _expanded(x: Any, /, axis: Any = 0) -> Any:
    place = axis + x.ndim + 1 if type(axis) is int and axis < 0 else axis
    if type(place) is not int or not 0 <= place <= x.ndim:
        return np.expand_dims(x, axis)
    return x.reshape((*x.shape[:place], 1, *x.shape[place:]))


def _mean(x: Any, axis: Any, dtype: Any, out: Any, keepdims: bool) -> Any:
    """NumPy's mean, to its bits: beyond 2**24 elements float32 does not hold their number."""
    if x.dtype.kind != "f" or x.dtype.itemsize < 4 or not 0 < x.size < 1 << 24:
        return np.mean(x, axis=axis, keepdims=keepdims)
    total = REDUCTIONS["sum"](x, axis, None, None, keepdims)
    return total / (x.size // total.size)


DIRECT: dict[str, Function] = {
    "reshape": _reshaped,
    "expand_dims": _expanded,
    "squeeze": lambda x, /, axis: x.squeeze(axis),
    "permute_dims": lambda x, /, axes: x.transpose(axes),
    "matrix_transpose": lambda x, /: x.mT,
}
REDUCTIONS: dict[str, Function] = {
    "sum": np.add.reduce,
    "prod": np.multiply.reduce,
    "max": np.maximum.reduce,
    "min": np.minimum.reduce,
    "mean": _mean,
}
"""By name: (x, axis, dtype, out, keepdims)."""
