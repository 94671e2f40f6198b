"""Shapes, joining, indexing and casting: each rule undoes the move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from twingrad.autodiff.tensor import Tensor
from twingrad.namespace import namespace_of
from twingrad.recording import refuse_while_recording
from twingrad.xp.primitive import primitive, sequence_primitive, unbroadcast


def _plain_astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    if isinstance(x, np.ndarray | np.generic):
        return x.astype(dtype, copy=copy)
    return namespace_of(x).astype(x, dtype, copy=copy)


def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    """The array API's `astype`, on plain arrays and on Tensors; casts to a floating dtype are recorded."""
    if isinstance(x, Tensor):
        kind = np.dtype(dtype) if isinstance(x.data, np.ndarray) else dtype
        if not namespace_of(x.data).isdtype(kind, "real floating"):
            refuse_while_recording("xp.astype", "it has no bound form yet")
            return Tensor(_plain_astype(x.data, dtype, copy=copy))
    return _astype(x, dtype, copy=copy)


def _plain_getitem(x: Any, key: Any) -> Any:
    return x[key]


def _plain_scatter(g: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with g added at `key`: the transpose of indexing."""
    zeros = namespace_of(g).zeros(shape, dtype=g.dtype, device=g.device)
    if isinstance(zeros, np.ndarray) and _picks_by_arrays(key):
        np.add.at(zeros, key, g)
    elif _picks_by_arrays(key):
        raise TypeError(f"the gradient of indexing by integer arrays needs NumPy arrays, got {type(g).__name__}")
    else:
        key = tuple([part for part in key if part is not None]) if isinstance(key, tuple) else key
        zeros[key] = namespace_of(g).reshape(g, zeros[key].shape)  # the standard assigns to no new axes
    return zeros


def _picks_by_arrays(key: Any) -> bool:
    """Whether the key may name one element twice: integer arrays can, slices, integers and one mask cannot."""
    parts: Any = key if isinstance(key, tuple) else (key,)
    parts = [np.asarray(p) if isinstance(p, list) else p for p in parts]
    return any(hasattr(p, "dtype") and not namespace_of(p).isdtype(p.dtype, "bool") for p in parts)


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    axes = [a % len(axes) for a in axes]
    return tuple(axes.index(i) for i in range(len(axes)))


def _concat_rule(g: Any, arrays: Sequence[Any], /, *, axis: int | None = 0) -> list[Any]:
    if axis is None:
        axis, g_shapes = 0, [(a.size,) for a in arrays]
    else:
        g_shapes = [a.shape for a in arrays]
    parts, start = [], 0
    for array, shape in zip(arrays, g_shapes, strict=True):
        key = [slice(None)] * len(shape)
        key[axis] = slice(start, start + shape[axis])
        start += shape[axis]
        parts.append(reshape(getitem(g, tuple(key)), array.shape))
    return parts


def _stack_rule(g: Any, arrays: Sequence[Any], /, *, axis: int = 0) -> list[Any]:
    before = (slice(None),) * (axis % len(g.shape))
    return [getitem(g, (*before, i, ...)) for i in range(len(arrays))]


def _plain_to_device(x: Any, device: Any) -> Any:
    from twingrad import backends

    return backends.get(device).asarray(x)


_astype = primitive(
    "astype", lambda g, out, x, dtype, /, *, copy=True: astype(g, x.dtype), implementation=_plain_astype
)
reshape = primitive("reshape", lambda g, out, x, /, shape, copy=None: reshape(g, x.shape), views=True)
broadcast_to = primitive("broadcast_to", lambda g, out, x, /, shape: unbroadcast(g, x.shape), views=True)
expand_dims = primitive("expand_dims", lambda g, out, x, /, axis=0: reshape(g, x.shape), views=True)
squeeze = primitive("squeeze", lambda g, out, x, /, axis: reshape(g, x.shape), views=True)
permute_dims = primitive("permute_dims", lambda g, out, x, /, axes: permute_dims(g, _inverse(axes)), views=True)
matrix_transpose = primitive("matrix_transpose", lambda g, out, x, /: matrix_transpose(g), views=True)
flip = primitive("flip", lambda g, out, x, /, axis=None: flip(g, axis=axis), views=True)
concat = sequence_primitive("concat", _concat_rule)
stack = sequence_primitive("stack", _stack_rule)
getitem = primitive(
    "getitem", lambda g, out, x, key: _scatter(g, key, x.shape), implementation=_plain_getitem, views=True
)
_scatter = primitive("_scatter", lambda g, out, x, key, shape: getitem(g, key), implementation=_plain_scatter)
to_device = primitive("to_device", lambda g, out, x, device: to_device(g, x.device), implementation=_plain_to_device)
