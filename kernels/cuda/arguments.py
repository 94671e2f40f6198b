"""What the overrides share: why a kernel cannot take its arguments, launches by dtype, and where gradients go."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from twingrad.autodiff.tape import Destination
from twingrad.backends.memory import out_of_memory
from twingrad.devices import device_of
from twingrad.errors import PrecisionError
from twingrad.kernels.cuda import graph, launching
from twingrad.namespace import Array, backend_of
from twingrad.precision import arithmetic, bfloat16
from twingrad.recording import refuse_while_recording

NAMES = {np.dtype(name): name for name in ("float32", "float64")}
"""The dtypes that kernels are compiled for; NumPy takes microseconds to tell a dtype's name."""

STORED = dict(NAMES)
"""The dtypes that activations may have: with the package ml_dtypes bfloat16 too."""
with suppress(PrecisionError):
    STORED[bfloat16()] = "bfloat16"

Into = tuple[Destination | None, ...]


class Kernel:
    """The kernel NAME_<dtype> of a source: `kernel(like, blocks, *args)` launches the copy for the dtype of `like`.

    blocks: of work; more than fill the GPU walk on. args: CuPy arrays, None for a null pointer, and numbers: integers
    and truths go as int64, floats as the dtype of `like` (float32 for bfloat16), NumPy's scalars as they are.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source, self.name = source, name
        self.copies = {dtype: f"{name}_{suffix}" for dtype, suffix in STORED.items()}

    def __call__(self, like: Array, blocks: int, *args: Any) -> None:
        number = arithmetic(like.dtype)
        packed = [_packed(number, value) for value in args]
        launching.launch_blocks(self.source, self.copies[like.dtype], blocks, like, *packed)


def _packed(dtype: Any, value: Any) -> Any:
    if isinstance(value, float) and not isinstance(value, np.generic):
        return dtype.type(value)
    return np.int64(value) if isinstance(value, int) and not isinstance(value, np.generic) else value


def loaded(source: str, refuses: Callable[..., str | None]) -> Callable[..., str | None]:
    """`refuses`, and where it does not why the kernels of `source` cannot run on the GPU of the first argument."""

    def accepts(*args: Any, **kwargs: Any) -> str | None:
        return refuses(*args, **kwargs) or launching.why_not(source, int(args[0].device.id))

    return accepts


def blocks_of(elements: int) -> int:
    """The blocks that `elements` are work for, in kernels that walk element by element."""
    return -(-elements // launching.ELEMENTS)


def empty(like: Array, *shape: int, dtype: Any = None) -> Array:
    """An array of the dtype, unless another is given, and on the GPU of `like`, with no values yet; DeviceMemoryError
    where it has no room.
    """
    import cupy

    dtype = like.dtype if dtype is None else dtype
    with like.device, graph.memory():
        try:
            return cupy.empty(shape, dtype)
        except MemoryError:
            raise out_of_memory(like.device, shape, dtype) from None


def empty_wide(like: Array, *shape: int) -> Array:
    """As `empty`, of the dtype that is computed in: for statistics and sums."""
    return empty(like, *shape, dtype=arithmetic(like.dtype))


def clear(out: Array) -> None:
    """Fill `out` with 0."""
    graph.perform(int(out.device.id), functools.partial(out.fill, 0))


def refusal(**arrays: Array | None) -> str | None:
    """None if all are C-contiguous CuPy arrays of one floating dtype on one GPU; else which is not. None is skipped."""
    given = [(name, array) for name, array in arrays.items() if array is not None]
    first, beside = given[0]
    if backend_of(beside) == "cuda" and beside.dtype not in NAMES:
        return f"{first} has dtype {beside.dtype}; there are CUDA kernels for float32 and float64"
    for name, array in given:
        reason = table_refusal(name, array, getattr(beside, "dtype", None), beside)
        if reason is not None:
            return reason
    return None


def stored_refusal(x: Array, name: str = "x", **beside: Array | None) -> str | None:
    """As `refusal` of an activation that may be stored in bfloat16, with what lies `beside` it in the dtype that is
    computed in then, float32.
    """
    if backend_of(x) == "cuda" and x.dtype not in STORED:
        return f"{name} has dtype {x.dtype}; there are CUDA kernels for float32, float64 and bfloat16"
    given = {key: array for key, array in beside.items() if array is not None}
    reasons = (table_refusal(key, array, arithmetic(x.dtype), x) for key, array in given.items())
    return table_refusal(name, x, getattr(x, "dtype", None), x) or next(filter(None, reasons), None)


def table_refusal(name: str, array: Array, dtype: Any, beside: Array) -> str | None:
    """None if `array` is a C-contiguous CuPy array of `dtype` on the GPU of `beside`, else what it is."""
    if backend_of(array) != "cuda":
        return f"{name} is a {type(array).__module__}.{type(array).__name__}, not a CuPy array"
    if array.device.id != beside.device.id:
        return (
            f"{name} lives on {device_of(array)}, its neighbour on {device_of(beside)}; move one: model.to, x.to_device"
        )
    if array.dtype != dtype:
        return f"{name} has dtype {array.dtype}, where {dtype} is needed"
    return None if array.flags.c_contiguous else f"{name} is not C-contiguous (shape {array.shape})"


def shape_refusal(shape: tuple[int, ...], **arrays: Array | None) -> str | None:
    """None if all have the shape `shape`, else the first that has not. None is skipped."""
    given = {name: array for name, array in arrays.items() if array is not None}
    return next((f"{name} has shape {a.shape}, not {shape}" for name, a in given.items() if a.shape != shape), None)


def plain(grad: Array, like: Array) -> Array:
    """The upstream gradient as kernels read it: C-contiguous and of the dtype of `like`."""
    import cupy

    if grad.dtype == like.dtype and grad.flags.c_contiguous:
        return grad
    refuse_while_recording("an array", f"it arrives as {grad.dtype} with strides {grad.strides}, and is copied")
    with like.device:
        return cupy.ascontiguousarray(grad, dtype=like.dtype).reshape(grad.shape)


def deliver(into: Destination | None, like: Array, write: Callable[[Array, bool], None]) -> Array | None:
    """Have write(array, whether to add) fill the destination, or a fresh array where there is none.

    A destination that is not contiguous is copied to.
    """
    if into is None:
        return None
    if into.array is not None and into.array.flags.c_contiguous:
        write(into.array, into.accumulate)
        return into.array
    fresh = empty(like, *like.shape)
    write(fresh, False)
    if into.array is None:
        return fresh
    refuse_while_recording("a gradient", f"its place has strides {into.array.strides}, so it is copied there")
    into.array[...] = into.array + fresh if into.accumulate else fresh
    return into.array


def place(into: Destination | None, like: Array) -> tuple[Array | None, bool]:
    """Where a kernel writes one of its results, and whether it adds; None, False where it is not wanted."""
    if into is None:
        return None, False
    return (empty(like, *like.shape), False) if into.array is None else (into.array, into.accumulate)
