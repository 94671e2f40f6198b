"""Shift and scale: fitted in bounded memory, applied row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.choice import choose
from twingrad.data.rows import Features, Rows, chunks
from twingrad.data.table import Table, Text

SCALINGS = ("auto", "none", "pixels", "standardise")
TOLD = {
    "none": "numbers stay as they are",
    "pixels": "numbers are divided by 255",
    "standardise": "numbers are scaled to mean 0 and deviation 1",
}
Numbers = tuple[float, ...]


def fit(
    x: Features, categories: tuple[Any, ...], plain: tuple[bool, ...], scaling: str, names: Sequence[str] = ()
) -> tuple[str, str, Numbers, Numbers]:
    """The scaling, why it is this one, and (shift, scale), each one number or one for each column.

    categories: of a table's columns; plain: whether a column stays one column of numbers; names: for messages.
    """
    choose("scaling", scaling, SCALINGS)
    chosen, reason = (scaling, "asked for") if scaling != "auto" else _choice(x)
    if chosen == "none":
        return chosen, reason, (0.0,), (1.0,)
    if chosen == "pixels":
        return chosen, reason, (0.0,), (255.0,)
    if not isinstance(x, Table):
        return chosen, reason, *moments_of(x, names)
    moments = [
        _of_column(name, column, seen) if scaled else (0.0, 1.0)
        for name, column, seen, scaled in zip(x.names, x.columns, categories, plain, strict=True)
    ]
    return chosen, reason, tuple(shift for shift, _ in moments), tuple(scale for _, scale in moments)


def moments_of(x: NDArray[Any] | Rows, names: Sequence[str] = ()) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation (divisor N) of each feature, in two passes over chunks, summed in float64.

    The deviation of a constant feature is given as 1: it is shifted, not scaled. names: for messages.
    """
    n, width = len(x), int(np.prod(x.shape[1:]))
    total, squares = np.zeros(width), np.zeros(width)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in chunks(x):
            total += np.asarray(x[part], np.float64).reshape(-1, width).sum(axis=0)
        mean = total / n
        for part in chunks(x):
            away = np.asarray(x[part], np.float64).reshape(-1, width) - mean
            squares += (away * away).sum(axis=0)
        deviation = np.sqrt(squares / n)
    if not np.isfinite(deviation).all():
        column = int(np.flatnonzero(~np.isfinite(deviation))[0])
        name = repr(names[column]) if names else f"{column} (from 0)"
        raise ValueError(f"column {name} holds numbers too large to be standardised; divide them first")
    noise = 10 * np.finfo(np.float64).eps * np.abs(mean)  # what rounding leaves of a constant
    deviation = np.where(deviation > noise, deviation, 1.0)
    return tuple(mean.tolist()), tuple(deviation.tolist())


def scaled(
    x: NDArray[Any],
    shift: Numbers,
    scale: Numbers,
    names: tuple[str, ...],
    where: Callable[[int], str] | None = None,
) -> NDArray[np.float32]:
    """(x - shift) / scale as float32 (N, D): computed in float64 and rounded once, bytes by a table of all 256.

    names, where: how messages name a column and a row; without `where` the column alone.
    """
    flat = x.reshape(len(x), -1)
    if x.dtype == np.uint8 and len(shift) == 1:
        looked_up: NDArray[np.float32] = byte_table(shift[0], scale[0])[flat]
        return looked_up
    with np.errstate(over="ignore", invalid="ignore"):
        found: NDArray[np.float32] = ((flat - np.asarray(shift)) / np.asarray(scale)).astype(np.float32)
    if not np.isfinite(found).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(found))[0])
        name = repr(names[column]) if names else column
        why = "not finite" if not np.isfinite(flat[row, column]) else "too large for float32 once scaled"
        place = "" if where is None else f"{where(row)}, "
        raise ValueError(f"{place}column {name}: {flat[row, column]} is {why}; mend or remove it")
    return found


def byte_table(shift: float, scale: float) -> NDArray[np.float32]:
    """What `scaled` makes of each of the 256 bytes."""
    found: NDArray[np.float32] = ((np.arange(256) - shift) / scale).astype(np.float32)
    return found


def _of_column(name: str, column: NDArray[np.float64] | Text, seen: tuple[str, ...] | None) -> tuple[float, float]:
    if isinstance(column, Text):
        position = {value: number for number, value in enumerate(seen or ())}
        column = np.array([position.get(value, 0) for value in column.values], np.float64)[column.codes]
    shift, scale = moments_of(column[:, None], (name,))
    return shift[0], scale[0]


def _choice(x: Features) -> tuple[str, str]:
    if isinstance(x, Table):
        return "standardise", "the columns of a table have scales of their own"
    if x.dtype == np.uint8:
        return "pixels", "the features are bytes"
    if all(x[part].min() >= 0 and x[part].max() <= 1 for part in chunks(x)):
        return "none", "all features lie in [0, 1]"
    return "standardise", "the features have scales of their own"
