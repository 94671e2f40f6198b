"""Shapes, joining and casting: each rule undoes the move."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from twingrad.autodiff.tensor import Tensor
from twingrad.namespace import dtype_in, is_bfloat16, library_of, namespace_of
from twingrad.recording import refuse_while_recording
from twingrad.xp.composed import composed
from twingrad.xp.creation import place
from twingrad.xp.primitive import primitive, sequence_primitive
from twingrad.xp.pulling import unbroadcast


def _plain_astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    if isinstance(x, np.ndarray | np.generic):
        return x.astype(dtype, copy=copy)
    namespace = namespace_of(x)
    return namespace.astype(x, dtype_in(namespace, dtype), copy=copy)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """The array API's `astype`, on plain arrays and on Tensors; casts to a floating dtype are recorded."""
    if device is not None:
        x = to_device(x, device)
    if isinstance(x, Tensor):
        dtype = dtype_in(namespace_of(x.data), dtype)
        if not _floating(dtype, x.data):
            refuse_while_recording("xp.astype", "it has no bound form yet")
            return Tensor(_plain_astype(x.data, dtype, copy=copy))
    return _astype(x, dtype, copy=copy)


def _floating(dtype: Any, like: Any) -> bool:
    """Whether `dtype`, of the library of the array `like`, holds real or complex floating numbers."""
    if type(like) is np.ndarray:
        return np.dtype(dtype).kind in "fc" or is_bfloat16(np.dtype(dtype))
    return is_bfloat16(dtype) or bool(namespace_of(like).isdtype(dtype, ("real floating", "complex floating")))


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    axes = [a % len(axes) for a in axes]
    return tuple(axes.index(i) for i in range(len(axes)))


def _concat_rule(g: Any, arrays: Sequence[Any], /, *, axis: int | None = 0) -> list[Any]:
    if axis is None:
        axis, g_shapes = 0, [(math.prod(a.shape),) for a in arrays]
    else:
        g_shapes = [a.shape for a in arrays]
    parts, start = [], 0
    for array, shape in zip(arrays, g_shapes, strict=True):
        key = [slice(None)] * len(shape)
        key[axis] = slice(start, start + shape[axis])
        start += shape[axis]
        parts.append(reshape(g[tuple(key)], array.shape))
    return parts


def _stack_rule(g: Any, arrays: Sequence[Any], /, *, axis: int = 0) -> list[Any]:
    before = (slice(None),) * (axis % len(g.shape))
    return [g[(*before, i, ...)] for i in range(len(arrays))]


def _plain_broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Any:
    """A view; of one number in a small NumPy array, such as a loss's cotangent, a copy, which costs a third of it."""
    if isinstance(x, np.ndarray | np.generic):
        return np.full(shape, x) if x.ndim == 0 and math.prod(shape) < 1024 else np.broadcast_to(x, shape)
    return namespace_of(x).broadcast_to(x, shape)


def plain_to_device(x: Any, device: Any) -> Any:
    """A plain array on `device`: a name of twingrad's, or a device of the array's own library."""
    from twingrad import backends

    if device == x.device:
        return x
    return x.to_device(device) if library_of(device) is not None else backends.get(place(device)).asarray(x)


def _tile_rule(g: Any, out: Any, x: Any, repetitions: Sequence[int], /) -> Any:
    """The sum over the copies, each axis of g being (copies, length)."""
    n = len(g.shape)
    copies, shape = (1,) * (n - len(repetitions)) + tuple(repetitions), (1,) * (n - len(x.shape)) + x.shape
    parts = [length for pair in zip(copies, shape, strict=True) for length in pair]
    single = [length for s in shape for length in (1, s)]
    return reshape(unbroadcast(reshape(g, tuple(parts)), tuple(single)), x.shape)


def _triangle(name: str) -> Any:
    """The library's function of that name, of matrices alone: NumPy's own makes a matrix of a vector."""

    def function(x: Any, /, *, k: int = 0) -> Any:
        if len(x.shape) < 2:
            raise ValueError("needs two axes or more")
        return getattr(namespace_of(x), name)(x, k=k)

    return function


def _opposite(shift: Any) -> Any:
    return tuple(map(operator.neg, shift)) if isinstance(shift, tuple) else -shift


_astype = primitive("astype", lambda g, out, x, dtype, /, *, copy=True: g, implementation=_plain_astype)
to_device = primitive("to_device", lambda g, out, x, device: to_device(g, x.device), implementation=plain_to_device)
reshape = primitive("reshape", lambda g, out, x, /, shape, *, copy=None: reshape(g, x.shape), views=True)
broadcast_to = primitive(
    "broadcast_to",
    lambda g, out, x, /, shape: unbroadcast(g, x.shape),
    views=True,
    implementation=_plain_broadcast_to,
)
expand_dims = primitive("expand_dims", lambda g, out, x, /, axis=0: reshape(g, x.shape), views=True)
squeeze = primitive("squeeze", lambda g, out, x, /, axis: reshape(g, x.shape), views=True)
permute_dims = primitive("permute_dims", lambda g, out, x, /, axes: permute_dims(g, _inverse(axes)), views=True)
moveaxis = primitive("moveaxis", lambda g, out, x, source, target, /: moveaxis(g, target, source), views=True)
matrix_transpose = primitive("matrix_transpose", lambda g, out, x, /: matrix_transpose(g), views=True)
flip = primitive("flip", lambda g, out, x, /, axis=None: flip(g, axis=axis), views=True)
roll = primitive("roll", lambda g, out, x, /, shift, axis=None: roll(g, _opposite(shift), axis=axis))
tile = primitive("tile", _tile_rule)
tril = primitive("tril", lambda g, out, x, /, k=0: tril(g, k=k), implementation=_triangle("tril"))
triu = primitive("triu", lambda g, out, x, /, k=0: triu(g, k=k), implementation=_triangle("triu"))
concat = sequence_primitive("concat", _concat_rule)
stack = sequence_primitive("stack", _stack_rule)


@composed("unstack", views=True)
def unstack(x: Any, /, *, axis: int = 0) -> Any:
    """The parts of x along `axis`, a tuple of arrays without it."""
    before = (slice(None),) * (axis % len(x.shape))
    return tuple([x[(*before, i, ...)] for i in range(x.shape[axis])])


@composed("broadcast_arrays", views=True)
def broadcast_arrays(*arrays: Any) -> Any:
    """The arrays, broadcast to the shape that they have together."""
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return [broadcast_to(a, shape) for a in arrays]


@composed("meshgrid", views=True)
def meshgrid(*arrays: Any, indexing: str = "xy") -> Any:
    """Coordinates of a grid from those of its axes; indexing "xy" has the first two axes exchanged, "ij" has not."""
    order = list(range(len(arrays)))
    if indexing == "xy":
        order[:2] = order[:2][::-1]
    sizes = [math.prod(a.shape) for a in arrays]
    shape = tuple([sizes[i] for i in order])
    return [
        broadcast_to(reshape(a, tuple([sizes[i] if j == i else 1 for j in order])), shape) for i, a in enumerate(arrays)
    ]
