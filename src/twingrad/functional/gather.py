"""The examples of a mini-batch: rows of a data set by their numbers."""

from __future__ import annotations

import math

from twingrad.functional.reduction import plain
from twingrad.fusable import fusable
from twingrad.namespace import Array, backend_of, namespace_of

CODES = 256
"""Numbers that a byte may be."""


def check(index: Array, rows: Array, table: Array | None = None) -> None:
    """Raise unless index is (B,), integers, NumPy's in [0, N), and a table is (256,) beside rows of bytes."""
    xp = namespace_of(index)
    if len(index.shape) != 1 or not xp.isdtype(index.dtype, "integral"):
        raise TypeError(f"gather takes an index of integers (B,), got {index.dtype} {tuple(index.shape)}")
    if not rows.shape or not rows.shape[0]:
        raise ValueError(f"gather takes rows of shape (N, ...), N at least 1, got {tuple(rows.shape)}")
    if table is not None and (tuple(table.shape) != (CODES,) or rows.dtype != namespace_of(rows).uint8):
        raise ValueError(
            f"gather takes a table ({CODES},) beside rows of uint8, got {tuple(table.shape)} beside {rows.dtype}"
        )
    if backend_of(index) == "cpu" and math.prod(index.shape):
        low, high = int(xp.min(index)), int(xp.max(index))
        if low < 0 or high >= rows.shape[0]:
            raise ValueError(
                f"gather of {rows.shape[0]} rows takes an index in [0, {rows.shape[0]}), got {low if low < 0 else high}"
            )


@fusable(validate=check)
def gather(index: Array, rows: Array, table: Array | None = None) -> Array:
    """rows[index]; with a table, table[rows[index]]: the scaling of bytes on their way into a mini-batch.

    index: (B,), integers in [0, N); rows: (N, ...), data without a gradient; table: (256,), what each byte means, for
    rows of uint8. Returns (B, ...), of the dtype of the table, else of the rows: their bits.
    Raises ValueError for an index out of range or another shape of the table, TypeError for an index of another dtype;
    where it is not looked at (other arrays than NumPy's, replays of a captured step), an index out of range gives a
    row of NaN, and of -1 where rows are integers: a label that no class has.

    >>> import numpy as np
    >>> images = np.asarray([[0, 255], [51, 102]], np.uint8)
    >>> gather(np.asarray([1, 0]), images, np.arange(256) / 255)
    array([[0.2, 0.4],
           [0. , 1. ]])
    """
    xp, numbers = namespace_of(rows), plain(index)
    if backend_of(numbers) == "cpu":  # looked at by `check`
        return meant(xp.take(rows, numbers, axis=0), table)
    inside = (numbers >= 0) & (numbers < rows.shape[0])
    found = meant(xp.take(rows, xp.where(inside, xp.astype(numbers, xp.int64), 0), axis=0), table)
    inside = xp.reshape(inside, (-1,) + (1,) * (found.ndim - 1))
    return xp.where(inside, found, math.nan if xp.isdtype(found.dtype, "real floating") else -1)


def meant(found: Array, table: Array | None) -> Array:
    """What the bytes of the rows mean; the rows themselves without a table."""
    if table is None:
        return found
    xp = namespace_of(found)
    return xp.reshape(xp.take(table, xp.astype(xp.reshape(found, (-1,)), xp.int64)), found.shape)
