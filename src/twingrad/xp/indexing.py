"""Picking elements, by keys and by arrays of indices: each rule adds the cotangent up where the elements came from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of
from twingrad.xp.composed import bare, composed, conforming, library
from twingrad.xp.manipulation import reshape
from twingrad.xp.primitive import primitive
from twingrad.xp.pulling import unbroadcast


def _plain_getitem(x: Any, key: Any) -> Any:
    return x[key]


def _plain_scatter(g: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with g added at `key`: the transpose of indexing."""
    xp = conforming(g)
    if picks_by_arrays(key):
        size = math.prod(shape)
        places = xp.reshape(xp.arange(size, device=g.device), shape)[key]
        return xp.reshape(_plain_add_at(xp.reshape(g, (-1,)), xp.reshape(places, (-1,)), size), shape)
    zeros = xp.zeros(shape, dtype=g.dtype, device=g.device)
    key = tuple([part for part in key if part is not None]) if isinstance(key, tuple) else key
    zeros[key] = xp.reshape(g, zeros[key].shape)  # the standard assigns to no new axes
    return zeros


def _plain_add_at(values: Any, index: Any, size: int) -> Any:
    """(size, ...) sums of the rows of `values` that share an index >= 0, index: (n,), values: (n, ...).

    Where the library has NumPy's `add.at`, as CuPy does, it adds single elements, ten times as fast as rows.
    """
    xp = conforming(values)
    width = math.prod(values.shape[1:])
    if 0 in (*values.shape, size):
        sums = xp.zeros((size, width), dtype=values.dtype, device=values.device)
    elif hasattr(getattr(xp, "add", None), "at"):
        sums = xp.zeros((size * width,), dtype=values.dtype, device=values.device)
        places = index[:, None] * width + xp.arange(width, dtype=index.dtype, device=index.device)
        xp.add.at(sums, xp.reshape(places, (-1,)), xp.reshape(values, (-1,)))
    else:
        sums = _segment_sums(xp, xp.reshape(values, (-1, width)), index, size)
    return xp.reshape(sums, (size, *values.shape[1:]))


def _segment_sums(xp: Any, values: Any, index: Any, size: int) -> Any:
    """The same for values: (n, m), by functions of the standard alone, which has no indexed addition.

    The rows are sorted by index, and within each run of one index each row gets the sum of those up to it, by doubling
    (W. Hillis, G. Steele, Data parallel algorithms, 1986): n log n additions, no subtraction that could cancel.
    """
    order = xp.argsort(index)
    index, values = xp.take(index, order), xp.take(values, order, axis=0)
    distance = 1
    while distance < index.shape[0]:
        same = (index[distance:] == index[:-distance])[:, None]
        zero = xp.zeros((), dtype=values.dtype, device=values.device)
        before = xp.where(same, values[:-distance, :], zero)
        values = xp.concat([values[:distance, :], values[distance:, :] + before])
        distance *= 2
    every = xp.arange(size, dtype=index.dtype, device=index.device)
    end = xp.searchsorted(index, every, side="right")
    found = (end > xp.searchsorted(index, every))[:, None]
    last = xp.where(end > 0, end - 1, end)
    return xp.where(found, xp.take(values, last, axis=0), xp.zeros((), dtype=values.dtype, device=values.device))


def picks_by_arrays(key: Any) -> bool:
    """Whether the key may name one element twice: integer arrays can, slices, integers and one mask cannot."""
    parts: Any = key if isinstance(key, tuple) else (key,)
    parts = [np.asarray(p) if isinstance(p, list) else p for p in parts]
    return any(hasattr(p, "dtype") and not namespace_of(p).isdtype(p.dtype, "bool") for p in parts)


def _plain_take_back(g: Any, indices: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Zeros of `shape` with g added at `indices` along `axis`: the transpose of take."""
    xp = conforming(g)
    n, before, after = shape[axis], math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    rows = xp.permute_dims(xp.reshape(g, (before, math.prod(indices.shape), after)), (1, 0, 2))
    index = xp.reshape(xp.where(indices < 0, indices + n, indices), (-1,))
    return xp.reshape(xp.permute_dims(_plain_add_at(rows, index, n), (1, 0, 2)), shape)


def _take_rule(g: Any, out: Any, x: Any, indices: Any, /, axis: int | None = None) -> Any:
    if axis is None or not x.shape:
        return reshape(_take_back(g, indices, (math.prod(x.shape),), 0), x.shape)
    return _take_back(g, indices, x.shape, axis % len(x.shape))


def _plain_take_along_back(g: Any, indices: Any, n: int, axis: int) -> Any:
    """Zeros, of length n along `axis` and else of g's shape, with g added at `indices`, broadcast to g's shape."""
    xp = conforming(g)
    indices = xp.broadcast_to(xp.where(indices < 0, indices + n, indices), g.shape)
    indices, g = xp.moveaxis(indices, axis, -1), xp.moveaxis(g, axis, -1)
    rows = math.prod(g.shape[:-1])
    offsets = xp.arange(rows, dtype=indices.dtype, device=indices.device)[:, None] * n
    places = xp.reshape(xp.reshape(indices, (rows, g.shape[-1])) + offsets, (-1,))
    sums = _plain_add_at(xp.reshape(g, (-1,)), places, rows * n)
    return xp.moveaxis(xp.reshape(sums, (*g.shape[:-1], n)), -1, axis)


def _take_along_rule(g: Any, out: Any, x: Any, indices: Any, /, axis: int = -1) -> Any:
    return unbroadcast(take_along_back(g, indices, x.shape[axis], axis), x.shape)


def _plain_setitem(x: Any, value: Any, key: Any) -> Any:
    out = namespace_of(x).asarray(x, copy=True)
    out[key] = value
    return out


def _assigned_rule(g: Any, out: Any, x: Any, value: Any, key: Any) -> Any:
    """The cotangent of what was assigned, summed over what it was broadcast to."""
    picked = getitem(g, key)
    extra = len(value.shape) - len(picked.shape)
    shape = value.shape[extra:] if extra > 0 else value.shape
    return reshape(unbroadcast(picked, shape), value.shape)


getitem = primitive(
    "getitem", lambda g, out, x, key: _scatter(g, key, x.shape), implementation=_plain_getitem, views=True
)
_scatter = primitive("_scatter", lambda g, out, x, key, shape: getitem(g, key), implementation=_plain_scatter)
take = primitive("take", _take_rule, implementation=library("take"))
_take_back = primitive(
    "_take_back", lambda g, out, x, indices, shape, axis: take(g, indices, axis=axis), implementation=_plain_take_back
)
take_along_axis = primitive("take_along_axis", _take_along_rule, implementation=library("take_along_axis"))
take_along_back = primitive(
    "_take_along_back",
    lambda g, out, x, indices, n, axis: take_along_axis(g, indices, axis=axis),
    implementation=_plain_take_along_back,
)
assign = primitive(
    "_setitem", lambda g, out, x, value, key: assign(g, 0, key), _assigned_rule, implementation=_plain_setitem
)


def assigned(x: Any, key: Any, value: Any) -> Any:
    """A copy of x with `value` at `key`, by both of which it is differentiated. AutodiffError for integer arrays."""
    if picks_by_arrays(key):
        raise AutodiffError(
            "a write at integer arrays is not recorded, for they may name an element twice; use slices or a mask"
        )
    return assign(x, value, key)


@composed("repeat")
def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Each element of x along `axis`, or of all, `repeats` times; an array of `repeats` has a number for each."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    places = conforming(x.data).arange(x.shape[axis], device=x.device)
    return take(x, library("repeat")(places, bare(repeats)), axis=axis)
