"""Rows of a table by their numbers."""

from __future__ import annotations

import math

from twingrad.functional.reduction import plain
from twingrad.fusable import fusable
from twingrad.namespace import Array, backend_of, namespace_of


def check(indices: Array, weight: Array) -> None:
    """Raise unless indices are integers, NumPy's in [0, V), and weight is (V, D)."""
    if len(weight.shape) != 2:
        raise ValueError(f"embedding takes a weight of shape (V, D), got {weight.shape}")
    xp = namespace_of(indices)
    if not xp.isdtype(indices.dtype, "integral"):
        raise TypeError(f"embedding takes integers, the numbers of rows, got {indices.dtype}")
    if backend_of(indices) == "cpu" and math.prod(indices.shape):
        low, high = int(xp.min(indices)), int(xp.max(indices))
        if low < 0 or high >= weight.shape[0]:
            raise ValueError(
                f"embedding of {weight.shape[0]} rows takes integers in [0, {weight.shape[0]}), "
                f"got {low if low < 0 else high}"
            )


@fusable(validate=check)
def embedding(indices: Array, weight: Array) -> Array:
    """weight[indices].

    indices: any shape, integers in [0, V); weight: (V, D). Returns (*indices.shape, D).
    The gradient of a row that is looked up several times is the sum, in the order of the look-ups: the same bits with
    any number of threads. Rows not looked up get zeros.
    Raises ValueError for an index out of range or another shape of weight, TypeError for indices of another dtype;
    where they are not looked at (other arrays than NumPy's, replays of a captured step), an index out of range gives
    a row of NaN.

    >>> import numpy as np
    >>> embedding(np.asarray([2, 0, 2]), np.asarray([[1.0, 1.5], [2.0, 2.5], [3.0, 3.5]]))
    array([[3. , 3.5],
           [1. , 1.5],
           [3. , 3.5]])
    """
    xp, rows = namespace_of(weight, indices), plain(indices)
    library = namespace_of(rows)
    shape = (*rows.shape, weight.shape[1])
    if backend_of(rows) == "cpu":  # looked at by `check`
        return xp.reshape(xp.take(weight, library.reshape(rows, (-1,)), axis=0), shape)
    rows = library.reshape(library.astype(rows, library.int64), (-1,))
    inside = (rows >= 0) & (rows < weight.shape[0])
    found = xp.take(weight, library.where(inside, rows, 0), axis=0)
    return xp.reshape(xp.where(inside[:, None], found, math.nan), shape)
