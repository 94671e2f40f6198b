"""Running sums and products, products, and differences of neighbours.

The rules of products never divide by an element, so zeros are no special case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.xp.composed import composed, library
from twingrad.xp.creation import zeros_like
from twingrad.xp.manipulation import concat, flip, moveaxis, permute_dims, reshape
from twingrad.xp.primitive import primitive
from twingrad.xp.reductions import axes_of, count_of, kept


def _cumulative_sum_rule(
    g: Any, out: Any, x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """g_i + g_(i+1) + ...: each element is in all later sums."""
    axis = 0 if axis is None else axis
    g = _without_first(g, axis) if include_initial else g
    return reshape(flip(cumulative_sum(flip(g, axis=axis), axis=axis), axis=axis), x.shape)


def _cumulative_prod_rule(
    g: Any, out: Any, x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """The product before i, times s_i = g_i + x_(i+1) s_(i+1)."""
    axis, shape = 0 if axis is None else axis, x.shape
    g = _without_first(g, axis) if include_initial else g
    g, x = moveaxis(g, axis, -1), moveaxis(x if shape else reshape(x, (1,)), axis, -1)
    return reshape(moveaxis(_products_before(x) * _recurrence(g, x), -1, axis), shape)


def _prod_rule(g: Any, out: Any, x: Any, /, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The cotangent times the product of all other elements: of those before, and of those behind."""
    axes = axes_of(axis, len(x.shape))
    order = tuple([a for a in range(len(x.shape)) if a not in axes]) + axes
    moved = permute_dims(x, order)
    lead = moved.shape[: len(order) - len(axes)]
    flat = reshape(moved, (*lead, count_of(x, axis)))
    others = _products_before(flat) * flip(_products_before(flip(flat, axis=-1)), axis=-1)
    back = tuple([order.index(i) for i in range(len(order))])
    return kept(g, x, axis, keepdims) * permute_dims(reshape(others, moved.shape), back)


def _products_before(x: Any) -> Any:
    """Along the last axis: 1, x_0, x_0 x_1, ..., without the product of all."""
    return cumulative_prod(x, axis=-1, include_initial=True)[..., :-1]


def _recurrence(g: Any, x: Any) -> Any:
    """s_i = g_i + x_(i+1) s_(i+1) along the last axis, by doubling: log n steps."""
    factor, distance = _shifted(x, 1), 1
    while distance < g.shape[-1]:
        g, factor = g + factor * _shifted(g, distance), factor * _shifted(factor, distance)
        distance *= 2
    return g


def _shifted(x: Any, distance: int) -> Any:
    """x moved forward by `distance` along the last axis, with zeros behind."""
    distance = min(distance, x.shape[-1])
    return concat([x[..., distance:], zeros_like(x[..., :distance])], axis=-1)


def _without_first(x: Any, axis: int) -> Any:
    return x[(*(slice(None),) * (axis % len(x.shape)), slice(1, None), ...)]


def _plain(path: str, ufunc: np.ufunc) -> Callable[..., Any]:
    """The library's function; of floating NumPy arrays what that ends in, to the same bits, for less."""
    general = library(path)

    def function(x: Any, /, **options: Any) -> Any:
        axis = options.get("axis", 0 if x.ndim == 1 else None)
        if type(x) is np.ndarray and x.dtype.kind == "f" and type(axis) is int and options.keys() <= {"axis"}:
            return ufunc.accumulate(x, axis)
        return general(x, **options)

    return function


cumulative_sum = primitive("cumulative_sum", _cumulative_sum_rule, implementation=_plain("cumulative_sum", np.add))
cumulative_prod = primitive(
    "cumulative_prod", _cumulative_prod_rule, implementation=_plain("cumulative_prod", np.multiply)
)
prod = primitive("prod", _prod_rule)


@composed("diff")
def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    """The n-th differences of neighbours along `axis`, of x with `prepend` before it and `append` behind."""
    if n < 0:
        raise ValueError(f"diff takes n >= 0 times the differences, got {n}")
    given = [a for a in (prepend, x, append) if a is not None]
    x = concat(given, axis=axis) if len(given) > 1 else x
    before = (slice(None),) * (axis % len(x.shape))
    for _ in range(n):
        x = x[(*before, slice(1, None), ...)] - x[(*before, slice(None, -1), ...)]
    return x
