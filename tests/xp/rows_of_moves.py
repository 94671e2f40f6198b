"""Rows of what moves, picks, orders, accumulates and bounds elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from row import Row, by_name, real

from twingrad.namespace import namespace_of
from twingrad.xp import indexing, linalg

ZEROS = np.asarray([[1.5, 0.0, -0.5, 2.0], [0.0, 0.7, 0.0, 1.1], [0.3, 1.2, -0.8, 0.9]])


def row(name: str, label: str, call: Callable[..., Any], *shape: int, **options: Any) -> Row:
    return Row(name, label, call, (real(*shape),), **options)


def like(x: Any, values: Any) -> Any:
    """Integers or truth values as an array of x's library, on its device."""
    plain = x.data if hasattr(x, "requires_grad") and hasattr(x, "node") else x
    return namespace_of(plain).asarray(np.asarray(values).tolist(), device=plain.device)


def moves() -> Iterator[Row]:
    for shift, axis in ((2, None), (-1, 0), ((1, 2), (0, 1)), (1, -1)):
        yield row("roll", f"{shift} {axis}", lambda xp, x, s=shift, a=axis: xp.roll(x, s, axis=a), 3, 4)
    yield row("roll", "nothing", lambda xp, x: xp.roll(x, 1), 0, 3)
    for repetitions in ((2, 3), (2,), (2, 1, 2), (0, 2)):
        yield row("tile", f"{repetitions}", lambda xp, x, r=repetitions: xp.tile(x, r), 2, 3)
    for name in ("tril", "triu"):
        for k in (-1, 0, 2):
            yield row(name, f"k {k}", lambda xp, x, name=name, k=k: getattr(xp, name)(x, k=k), 2, 3, 4)
    for source, target in ((0, -1), ((0, 1), (2, 0)), (-1, 0)):
        yield row("moveaxis", f"{source} {target}", lambda xp, x, s=source, t=target: xp.moveaxis(x, s, t), 2, 3, 4)
    for axis in (0, -1):
        yield row("unstack", f"axis {axis}", lambda xp, x, a=axis: xp.stack(xp.unstack(x, axis=a)[1:]), 3, 4)
    for axis in (None, 0, -1):
        yield row("repeat", f"axis {axis}", lambda xp, x, a=axis: xp.repeat(x, 2, axis=a), 2, 3)
    yield row("repeat", "each its own", lambda xp, x: xp.repeat(x, like(x, [2, 0, 1]), axis=1), 2, 3)
    pair = (real(3, 1), real(4))
    yield Row("broadcast_arrays", "two", lambda xp, x, y: xp.stack(xp.broadcast_arrays(x, y)), pair)
    for indexing_ in ("xy", "ij"):
        grid = lambda xp, *a, i=indexing_: xp.stack(xp.meshgrid(*a, indexing=i))  # noqa: E731
        yield Row("meshgrid", indexing_, grid, (real(2), real(3), real(4)))
    yield row("fft.fftshift", "all", lambda xp, x: xp.fft.fftshift(x), 3, 4)
    yield row("fft.ifftshift", "one axis", lambda xp, x: xp.fft.ifftshift(x, axes=1), 3, 5)
    yield row("real", "of a real array", lambda xp, x: xp.real(x), 3, numpy_only=True)
    yield row("imag", "of a real array", lambda xp, x: xp.imag(x) + x, 3, numpy_only=True)


def picks() -> Iterator[Row]:
    for axis in (0, -1):
        yield row("take", f"axis {axis}", lambda xp, x, a=axis: xp.take(x, like(x, [2, 0, 2]), axis=a), 3, 4)
    yield row("take", "of a vector", lambda xp, x: xp.take(x, like(x, [1, 1, 0])), 3)
    yield row("take", "negative", lambda xp, x: xp.take(x, like(x, [-1, 2]), axis=1), 2, 3, 4)
    yield row("take", "of a number", lambda xp, x: xp.take(x, like(x, [0, 0]), axis=0), numpy_only=True)
    yield row("take", "nothing", lambda xp, x: xp.take(x, like(x, [0, 1])[:0], axis=0), 3, 4)
    yield row("take", "of nothing beside", lambda xp, x: xp.take(x, like(x, [0, 1]), axis=0), 3, 0)
    key = [[2, 0], [1, 1], [0, -1]]
    yield row("take_along_axis", "last", lambda xp, x: xp.take_along_axis(x, like(x, key), axis=-1), 3, 3)
    yield row("take_along_axis", "first", lambda xp, x: xp.take_along_axis(x, like(x, [[2, 0, 0]]), axis=0), 3, 3)
    yield row("getitem", "integers", lambda xp, x: x[like(x, [2, 0, 2, -1])], 3)
    pairs = [0, 1, 0, 0], [3, 0, 3, 1]
    yield row("getitem", "integers of both axes", lambda xp, x: x[like(x, pairs[0]), like(x, pairs[1])], 2, 4)
    yield row("getitem", "mask of all", lambda xp, x: x[like(x, [[True, False], [True, True]])], 2, 2)
    index = np.asarray([0, 2, 0])
    back, along = indexing._take_back, indexing.take_along_back
    yield row("_take_back", "rows", lambda xp, g: back(g, index, (3, 4), 0), 3, 4, numpy_only=True)
    yield row("_take_back", "columns", lambda xp, g: back(g, index, (2, 3, 2), 1), 2, 3, 2, numpy_only=True)
    yield row("_take_along_back", "last", lambda xp, g: along(g, np.asarray(key), 3, -1), 3, 2, numpy_only=True)
    for label, key_ in {"row": 1, "slices": (slice(None), slice(None, None, 2)), "mask": ZEROS == 0}.items():
        value = real(*np.zeros((3, 4))[key_].shape)
        call = lambda xp, x, v, k=key_: indexing.assign(x, v, k)  # noqa: E731
        yield Row("_setitem", label, call, (real(3, 4), value), numpy_only=True)
    call = lambda xp, x, v: indexing.assign(x, v, (slice(1, None),))  # noqa: E731
    yield Row("_setitem", "broadcast", call, (real(3, 4), real(1, 1, 4)), numpy_only=True)
    diagonal = linalg.products.undiagonal
    yield row("_undiagonal", "beside", lambda xp, g: diagonal(g, (2, 3, 5), 1), 2, 3, numpy_only=True)


def ordered() -> Iterator[Row]:
    for axis, descending in ((-1, False), (0, True), (1, True)):
        call = lambda xp, x, a=axis, d=descending: xp.sort(x, axis=a, descending=d)  # noqa: E731
        yield row("sort", f"axis {axis} {'down' if descending else 'up'}", call, 3, 4)
    yield row("sort", "nothing", lambda xp, x: xp.sort(x), 2, 0)
    values = real(2, 3)
    only = {"numpy_only": True}
    yield Row("unique_values", "none twice", lambda xp, x: xp.unique_values(x), (values,), **only)
    yield Row("unique_all", "none twice", lambda xp, x: xp.unique_all(x).values, (values,), **only)
    yield Row("unique_inverse", "none twice", lambda xp, x: xp.unique_inverse(x).values, (values,), **only)
    yield Row("unique_counts", "none twice", lambda xp, x: xp.unique_counts(x).values, (values,), **only)


def accumulated() -> Iterator[Row]:
    for name in ("cumulative_sum", "cumulative_prod"):
        call = by_name(name)
        yield Row(name, "of a vector", call, (real(4),))
        yield Row(name, "of one", call, (real(1),))
        yield Row(name, "of a number", call, (real(),), numpy_only=True)
        yield Row(name, "of nothing", lambda xp, x, f=call: f(xp, x, axis=1), (real(2, 0),))
        for axis in (0, -1):
            yield Row(name, f"axis {axis}", lambda xp, x, f=call, a=axis: f(xp, x, axis=a), (real(3, 5),))
            initial = lambda xp, x, f=call, a=axis: f(xp, x, axis=a, include_initial=True)  # noqa: E731
            yield Row(name, f"axis {axis} with initial", initial, (real(3, 5),))
    yield Row("cumulative_prod", "of zeros", lambda xp, x: xp.cumulative_prod(x, axis=1), (ZEROS,))
    for axis in (None, 0, -1):
        yield Row("prod", f"of zeros axis {axis}", lambda xp, x, a=axis: xp.prod(x, axis=a), (ZEROS,))
    yield row("prod", "of nothing", lambda xp, x: xp.prod(x, axis=0), 0, 3)
    yield row("prod", "of a number", lambda xp, x: xp.prod(x))
    for n, axis in ((1, -1), (2, 0), (0, 0)):
        yield row("diff", f"{n} times axis {axis}", lambda xp, x, n=n, a=axis: xp.diff(x, n=n, axis=a), 4, 3)
    ends = (real(2, 3), real(2, 1), real(2, 2))
    yield Row("diff", "with ends", lambda xp, x, p, a: xp.diff(x, prepend=p, append=a), ends)


def bounded() -> Iterator[Row]:
    yield row("clip", "both", lambda xp, x: xp.clip(x, -0.9, 0.8), 3, 4)
    yield row("clip", "below", lambda xp, x: xp.clip(x, min=-0.1), 3, 4)
    yield row("clip", "above", lambda xp, x: xp.clip(x, max=0.1), 3, 4)
    yield row("clip", "neither", lambda xp, x: xp.clip(x), 3, 4)
    yield Row(
        "clip", "by arrays", lambda xp, x, low, high: xp.clip(x, low, high), (real(3, 4), real(4) - 1, real() + 3)
    )


def rows() -> Iterator[Row]:
    yield from moves()
    yield from picks()
    yield from ordered()
    yield from accumulated()
    yield from bounded()
