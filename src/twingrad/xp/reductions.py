"""Reductions: each rule spreads the cotangent back over the axes that were summed away."""

from __future__ import annotations

import math
from typing import Any

from twingrad.xp.composed import unrecorded
from twingrad.xp.elementwise import equal, where
from twingrad.xp.manipulation import astype, broadcast_to, expand_dims
from twingrad.xp.primitive import primitive


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that `axis` names, counted from 0, in order."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))))


def kept(reduced: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """`reduced` with the reduced axes put back at length 1."""
    if keepdims:
        return reduced
    for a in axes_of(axis, len(x.shape)):
        reduced = expand_dims(reduced, axis=a)
    return reduced


def _spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    return broadcast_to(g if axis is None else kept(g, x, axis, keepdims), x.shape)


def count_of(x: Any, axis: Any) -> int:
    """How many elements are reduced to one."""
    return math.prod(x.shape[a] for a in axes_of(axis, len(x.shape)))


def _sum_rule(g: Any, out: Any, x: Any, /, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims)


def _mean_rule(g: Any, out: Any, x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g / (count_of(x, axis) or 1), x, axis, keepdims)


def _extremum_rule(g: Any, out: Any, x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The cotangent, shared equally among the elements that tie."""
    winner = astype(equal(x, kept(out, x, axis, keepdims)), x.dtype)
    return _spread(g, x, axis, keepdims) * winner / sum(winner, axis=axis, keepdims=True)


def _var_rule(g: Any, out: Any, x: Any, /, axis: Any = None, *, correction: float = 0.0, keepdims: bool = False) -> Any:
    centred = x - mean(x, axis=axis, keepdims=True)
    count = count_of(x, axis) - correction
    return _spread(g, x, axis, keepdims) * centred * (2.0 / count if count else math.nan)


def _std_rule(g: Any, out: Any, x: Any, /, axis: Any = None, *, correction: float = 0.0, keepdims: bool = False) -> Any:
    """A constant gives 0, as in PyTorch, though the derivative has no limit there. Where its mean is rounded, `out` is
    above 0: x is centred twice, so that no rounding is divided by it.
    """
    g = g / where(equal(out, 0), 1, 2.0 * out)
    x = x - mean(x, axis=axis, keepdims=True)
    return _var_rule(g, out, x, axis=axis, correction=correction, keepdims=keepdims)


sum = primitive("sum", _sum_rule)
mean = primitive("mean", _mean_rule)
max = primitive("max", _extremum_rule)
min = primitive("min", _extremum_rule)
var = primitive("var", _var_rule)
std = primitive("std", _std_rule)

all = unrecorded("all", lambda x, /, axis=None, *, keepdims=False: None)
any = unrecorded("any", lambda x, /, axis=None, *, keepdims=False: None)
