"""What the overrides share: why a kernel cannot take its arguments, and where gradients go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from twingrad import recording
from twingrad.autodiff.tape import Destination
from twingrad.errors import AutodiffError
from twingrad.kernels.cpu import Kernel
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
FEW = 256
"""Up to how many elements what is around a launch costs more than the arithmetic."""
ADD = Kernel("add", 3, "q")


def refusal(**arrays: Array) -> str | None:
    """None if all are aligned C-contiguous NumPy arrays of one floating dtype that has kernels; else which is not."""
    wanted = None
    for name, array in arrays.items():
        if type(array) is not np.ndarray:
            return f"{name} is a {type(array).__module__}.{type(array).__name__}, not a NumPy array"
        dtype = array.dtype
        if wanted is None:
            if dtype not in FLOATS:
                return f"{name} has dtype {dtype}; there are kernels for float32 and float64"
            first, wanted = name, dtype
        elif dtype != wanted:
            return f"{name} has dtype {dtype}, but {first} {wanted}"
        flags = array.flags
        if not (flags.c_contiguous and flags.aligned):
            return f"{name} is not C-contiguous and aligned (shape {array.shape}, strides {array.strides})"
    return None


def table_refusal(name: str, array: Array, dtype: np.dtype[Any]) -> str | None:
    """None if `array` is a C-contiguous NumPy array of `dtype`, else what it is."""
    if type(array) is not np.ndarray or array.dtype != dtype:
        return f"{name} is a {type(array).__name__} of {getattr(array, 'dtype', 'no dtype')}; NumPy {dtype} is needed"
    return None if array.flags.c_contiguous and array.flags.aligned else f"{name} is not C-contiguous and aligned"


def read_only(**arrays: Array) -> str | None:
    """None if all can be written, else the first that cannot."""
    return next((f"{name} is read-only" for name, array in arrays.items() if not array.flags.writeable), None)


def plain(grad: Array, like: Array) -> Array:
    """The upstream gradient as an array that kernels can read: C-contiguous and of the dtype of `like`.

    NumPy's arithmetic turns 0-d arrays into scalars, which have no data to point to.
    """
    if type(grad) is np.ndarray and grad.dtype == like.dtype and grad.flags.c_contiguous and grad.flags.aligned:
        return grad
    recording.refuse_while_recording("a gradient", f"it arrives as {grad.dtype} with strides {grad.strides}")
    return np.array(grad, like.dtype, order="C")


def deliver(into: Destination, like: Array, write: Callable[[Array], None]) -> Array:
    """Have `write` fill the destination, or a fresh array where there is none; one that accumulates is added to."""
    if into.array is not None and not into.accumulate:
        write(into.array)
        return into.array
    fresh = empty(like.shape, like.dtype)
    write(fresh)
    if into.array is None:
        return fresh
    ADD((into.array, into.array, fresh), fresh.size)
    return into.array


def rooms(into: Sequence[Destination | None], *likes: Array) -> tuple[list[Array | None], list[bool]]:
    """Where a kernel writes the gradients of its arguments, and whether they are to be added to what is there: it adds
    all but the first, which is given a fresh array for `first_added`.
    """
    out: list[Array | None] = []
    for i, (destination, like) in enumerate(zip(into, likes, strict=False)):
        fresh = destination is not None and (destination.array is None or (i == 0 and destination.accumulate))
        out.append(empty(like.shape, like.dtype) if fresh else destination and destination.array)
    return out, [destination is not None and destination.accumulate for destination in into]


def first_added(into: Sequence[Destination | None], out: list[Array | None]) -> list[Array | None]:
    """What a kernel has written into `rooms`, the first added in its destination where it accumulates."""
    first = into[0]
    if first is None or not first.accumulate:
        return out
    ADD((first.array, first.array, out[0]), first.array.size)
    return [first.array, *out[1:]]


def shape_refusal(shape: tuple[int, ...], **arrays: Array) -> str | None:
    """None if all have the shape `shape`, else the first that has not."""
    return next((f"{name} has shape {a.shape}, not {shape}" for name, a in arrays.items() if a.shape != shape), None)


SPLIT_ROWS, SPLIT_COLUMNS = 1024, 256
"""Rows of a piece, and how many columns give no tiles enough to share out."""


def split(x: Array, sums: int) -> tuple[Array | None, int, int, int]:
    """How sums down the columns of `x` are split over its rows: room for partial sums or None, rows, columns, piece."""
    rows, columns = x.shape
    if rows < 2 * SPLIT_ROWS or columns > SPLIT_COLUMNS:
        return None, rows, columns, max(rows, 1)
    return np.empty((-(-rows // SPLIT_ROWS), sums, columns), x.dtype), rows, columns, SPLIT_ROWS


def constant(operation: str, into: tuple[Destination | None, ...], **positions: int) -> None:
    """Raise AutodiffError where a gradient is asked for of an argument for which the kernel has none."""
    for name, position in positions.items():
        if position < len(into) and into[position] is not None:
            raise AutodiffError(
                f"the fused kernel of {operation} gives no gradient for {name}; detach() it, "
                'or take the reference path: with tg.fused("never"): ...'
            )
