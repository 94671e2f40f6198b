"""float32 to bfloat16 and back: what is stored in bfloat16 is computed in float32."""

from __future__ import annotations

import numpy as np

from twingrad.autodiff import custom_rule
from twingrad.fusable import fusable
from twingrad.namespace import Array, is_bfloat16, namespace_of
from twingrad.precision import bfloat16


def check_narrow(x: Array) -> None:
    """Raise TypeError unless x is float32."""
    if x.dtype != np.float32:
        raise TypeError(f"narrow takes float32, got {x.dtype}")


def check_widen(x: Array) -> None:
    """Raise TypeError unless x is bfloat16."""
    if not is_bfloat16(x.dtype):
        raise TypeError(f"widen takes bfloat16, got {x.dtype}")


@fusable(validate=check_narrow)
def narrow(x: Array) -> Array:
    """x, float32, in bfloat16: rounded to nearest, of two as near to the even one. NaN stays; the gradient is widened.

    x: any shape, of NumPy or CuPy, with the package ml_dtypes. Raises TypeError for another dtype.

    >>> narrow(np.asarray([1.0, 1.00390625, 3.4e38], np.float32))
    array([1, 1, inf], dtype=bfloat16)
    """
    return _narrow(x)


@fusable(validate=check_widen)
def widen(x: Array) -> Array:
    """x, bfloat16, in float32, which is exact. The gradient is rounded to bfloat16.

    x: any shape. Raises TypeError for another dtype.
    """
    return _widen(x)


@custom_rule(lambda g, out, x: widen(g))
def _narrow(x: Array) -> Array:
    return namespace_of(x).astype(x, bfloat16())


@custom_rule(lambda g, out, x: narrow(g))
def _widen(x: Array) -> Array:
    return namespace_of(x).astype(x, np.float32)


@custom_rule(lambda g, out, x, copy: g)
def rounded(x: Array, copy: Array | None) -> Array:
    """x, float32, rounded to bfloat16 and widened again; `copy` is that in bfloat16, where it is known.

    The gradient of x is that of the result, as if nothing had been rounded.
    """
    return widen(narrow(x) if copy is None else copy)
