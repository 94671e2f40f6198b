"""Plain tables, and numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.autodiff import Tensor
from twingrad.nn.state import host_copy


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """The rows as lines: the first `left` columns begin at one place, the others end at one.

    >>> aligned([["part", "error"], ["train", "1%"]])
    ['part   error', 'train     1%']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            f"{cell:<{w}}" if i < left else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def percent(value: float) -> str:
    """A share with two digits behind the point at most.

    >>> percent(0.05), percent(0.0123), percent(-0.04), percent(float("nan"))
    ('5%', '1.23%', '-4%', 'undefined')
    """
    if np.isnan(value):
        return "undefined"
    return f"{100 * value:.2f}".rstrip("0").rstrip(".") + "%"


def flags(name: str, values: Any) -> NDArray[np.bool_]:
    """Booleans, or the numbers 0 and 1, as booleans; ValueError with the first that is neither.

    >>> flags("wrong", [0.0, 1.0])
    array([False,  True])
    """
    given = host(values)
    others = given[(given != 0) & (given != 1)]
    if others.size:
        raise ValueError(f"{name} must hold booleans, or 0 and 1; got {others.tolist()[0]!r}")
    return given.astype(bool)


def host(values: Any) -> NDArray[Any]:
    """What any library holds, a Tensor, or a list, as a NumPy array."""
    plain = isinstance(values, np.ndarray | list | tuple | range) or not (
        isinstance(values, Tensor) or hasattr(values, "shape")
    )
    return np.asarray(values) if plain else host_copy(values)
