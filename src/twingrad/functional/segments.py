"""Segments of flat arrays: what the update rules of the optimizers share."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.autodiff import Tensor
from twingrad.namespace import Array, backend_of, is_bfloat16, namespace_of
from twingrad.recording import refuse_while_recording


def check_segments(
    rule: str, arrays: Mapping[str, Array | None], segments: Array, control: Array, columns: int
) -> None:
    """Raise ValueError unless the arrays that are there are flat and alike, tables (S, 2) and (S, columns), and
    segments in range.
    """
    theta: Any = arrays["param"]
    for name, array in arrays.items():
        if array is None:
            continue
        if array.shape != theta.shape or len(array.shape) != 1 or array.dtype != theta.dtype:
            raise ValueError(
                f"{rule}: {name} has shape {array.shape} and dtype {array.dtype}, "
                f"param {theta.shape} and {theta.dtype}; flat arrays of one length and dtype are needed"
            )
    if segments.shape[1:] != (2,) or control.shape != (segments.shape[0], columns):
        raise ValueError(
            f"{rule}: segments (S, 2) and control (S, {columns}) are needed, got {segments.shape} and {control.shape}"
        )
    check_range(rule, segments, theta.shape[0])


def check_copy(rule: str, theta: Array, copy: Array | None) -> None:
    """Raise ValueError unless `copy` is None, or bfloat16 of the shape of `theta`, which is float32."""
    if copy is None:
        return
    if not is_bfloat16(copy.dtype) or copy.shape != theta.shape or theta.dtype != np.float32:
        raise ValueError(
            f"{rule}: copy is bfloat16 of the shape of a float32 param; got {copy.dtype} {copy.shape} beside "
            f"{theta.dtype} {theta.shape}"
        )


def check_range(rule: str, segments: Array, size: int) -> None:
    """Raise ValueError unless each segment lies in an array of `size` elements; those of a table on a GPU are not read
    back, but clipped by the kernels.
    """
    if backend_of(segments) == "cuda":
        return
    table = segments if isinstance(segments, np.ndarray) else np.asarray(segments.tolist()).reshape(-1, 2)
    outside = (table < 0).any(axis=1) | (table[:, 0] > size - table[:, 1])
    if outside.any():
        offset, length = table[outside][0].tolist()
        raise ValueError(
            f"{rule}: the segment of {length} elements from {offset} is outside of an array of {size}; offsets and "
            "lengths are at least 0, and their sum at most the array's length"
        )


def segments_of_one(
    rule: str, arrays: Mapping[str, Array], inputs: Collection[str]
) -> tuple[list[Any], NDArray[np.int64]]:
    """The arrays of one parameter as flat views, and the table of the one segment that they are.

    Tensors among them are taken as their data, and those that are not `inputs` count as overwritten.
    Raises ValueError where shapes or dtypes differ, the dtype is not floating, a moment is given twice or is the
    gradient, or an array that is not among `inputs` cannot be written through a flat view.
    """
    _check_apart(rule, arrays)
    arrays = {name: _plain(array, writes=name not in inputs) for name, array in arrays.items()}
    param = arrays["param"]
    if not namespace_of(*arrays.values()).isdtype(param.dtype, "real floating"):
        raise ValueError(f"{rule}: param has dtype {param.dtype}; a real floating dtype is needed")
    flat = []
    for name, array in arrays.items():
        if array.shape != param.shape or array.dtype != param.dtype:
            raise ValueError(
                f"{rule}: {name} has shape {array.shape} and dtype {array.dtype}, param {param.shape} and {param.dtype}"
            )
        flat.append(_flat(rule, name, array, writes=name not in inputs))
    return flat, np.asarray([(0, math.prod(param.shape))], np.int64)


def _check_apart(rule: str, arrays: Mapping[str, Array]) -> None:
    for name in list(arrays)[2:]:
        twin = next((other for other, array in arrays.items() if other != name and array is arrays[name]), None)
        if twin is not None:
            raise ValueError(f"{rule} keeps {name} from step to step, and {twin} is the same array; give it its own")


def _plain(array: Array, *, writes: bool) -> Array:
    if not isinstance(array, Tensor):
        return array
    if writes:
        array.mark_written()
    return array.data


def _flat(rule: str, name: str, array: Array, *, writes: bool) -> Array:
    xp = namespace_of(array)
    if not writes:
        return xp.reshape(array, (-1,))
    flags = getattr(array, "flags", None)
    if flags is not None and not getattr(flags, "writeable", True):
        refuse_while_recording(f"{rule}'s update of {name}", "it is read-only, as the arguments of the step are")
        raise ValueError(f"{rule} updates {name} in place, but the array is read-only; pass a writable copy")
    try:
        return xp.reshape(array, (-1,), copy=False)
    except (ValueError, AttributeError):
        raise ValueError(f"{rule} updates {name} in place, which needs a C-contiguous array; copy it first") from None
