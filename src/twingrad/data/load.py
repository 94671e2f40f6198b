"""Data sets by name, or from files."""

from __future__ import annotations

from collections.abc import Callable

from twingrad.choice import choose
from twingrad.data.dataset import Dataset
from twingrad.data.digits import digits

LOADERS: dict[str, Callable[[], Dataset]] = {"digits": digits}


def load(name: str) -> Dataset:
    """The data set of that name; "digits" ships in the package (`digits` states its source and licence).

    Raises:
        ValueError: no data set has that name; the message suggests the nearest.

    >>> load("digits").x.shape
    (1797, 64)
    """
    return LOADERS[choose("data set", name, LOADERS)]()
