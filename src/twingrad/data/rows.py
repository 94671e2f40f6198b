"""Rows of what may be too large to copy: memory-mapped arrays stay on the disk until a batch asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.table import Index, Table

CHUNK = 1 << 24
"""Bytes that one pass over a data set holds at a time."""


class Rows:
    """Some rows of a memory-mapped array: `rows[index]` reads those asked for, and nothing else is copied.

    >>> Rows(np.arange(6).reshape(3, 2), np.array([2, 0]))[:1]
    array([[4, 5]])
    """

    def __init__(self, array: NDArray[Any], index: NDArray[np.int64]) -> None:
        self.array, self.index = array, index

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...)."""
        return (len(self.index), *self.array.shape[1:])

    @property
    def ndim(self) -> int:
        """Axes, rows among them."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Index) -> NDArray[Any]:
        return np.asarray(self.array[self.index[index]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("rows of a memory-mapped array cannot be had without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        return f"Rows({len(self)} of {len(self.array)}, each {self.shape[1:]} {self.dtype})"


Features = NDArray[Any] | Rows | Table
"""What a data set's x may be."""


def on_host(array: Any, who: str) -> NDArray[Any]:
    """`array` as NumPy's, without a copy where it is one. Raises TypeError for an array of a GPU, by `who`."""
    try:
        return np.asanyarray(array)
    except TypeError as error:  # how CuPy and PyTorch refuse what would be a silent copy from the device
        raise TypeError(
            f"{who} must be a NumPy array: data are read on the host, and `fit` moves what it learns from to the "
            f"model's device; got {type(array).__module__}.{type(array).__name__}: {error}"
        ) from None


def take(x: Features, index: Index) -> Features:
    """The rows at `index`, without reading them where x is memory-mapped."""
    if isinstance(x, Rows):
        return Rows(x.array, x.index[index])
    if isinstance(x, np.memmap) and not isinstance(index, slice):
        return Rows(x, index)
    return x[index]


def chunks(x: Features) -> Iterator[slice]:
    """Slices that together cover x, each of about `CHUNK` bytes."""
    width = max(1, int(np.prod(x.shape[1:])) * 8)
    step = max(1, CHUNK // width)
    for start in range(0, len(x), step):
        yield slice(start, min(start + step, len(x)))
