"""A data set that stays where the model is: mini-batches are gathered there, inside a captured step too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad import backends
from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.devices import Device, resolve
from twingrad.namespace import Array

WORDS = {np.dtype(np.float32): np.float32, np.dtype(np.float64): np.float64, np.dtype(np.int64): np.float64}
"""The dtypes that can be held, and the float whose kernel moves their words."""


class Resident:
    """Arrays of N examples each on one device; `gather(index)` gives the rows of a mini-batch.

    arrays: (N, ...) each, float32, float64 or int64 (labels), NumPy's or CuPy's; copied only where they are elsewhere.
    device: where they are to stay; None takes the current one.

    Inside a step that `tg.capture` records, `gather` is one kernel for each array: the step takes the numbers of the
    examples, a few hundred bytes, and no batch crosses the bus. The order of an epoch (`data.batches`) can be uploaded
    at once, and cut there.

    Raises ValueError for no arrays, or of different lengths; TypeError for another dtype; DeviceMemoryError where the
    device has no room.

    >>> x = np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
    >>> held = Resident(x, np.asarray([0, 1, 2]), device="cpu")
    >>> x, y = held.gather(np.asarray([2, 0]))
    >>> x.numpy().tolist(), y.numpy().tolist()
    ([[5.0, 6.0], [1.0, 2.0]], [2, 0])
    """

    def __init__(self, *arrays: Array, device: str | None = None) -> None:
        self.device: Device = resolve(device)
        backend = backends.get(self.device)
        for array in arrays:
            if np.dtype(array.dtype) not in WORDS:
                raise TypeError(f"Resident holds float32, float64 and int64, got an array of {array.dtype}; convert it")
        lengths = [array.shape[0] if array.shape else None for array in arrays]
        if not arrays or None in lengths or len(set(lengths)) > 1:
            raise ValueError(f"Resident takes arrays (N, ...) of one N, got shapes {[array.shape for array in arrays]}")
        xp = backend.namespace()
        self.arrays: tuple[Array, ...] = tuple(xp.ascontiguousarray(backend.asarray(array)) for array in arrays)

    def __len__(self) -> int:
        return int(self.arrays[0].shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(int(array.nbytes) for array in self.arrays)

    def gather(self, index: Any) -> tuple[Tensor, ...]:
        """The rows at `index` of each array.

        index: (B,) int64, in [0, N), on any device; a Tensor where a step is captured. Returns (B, ...) of each.
        Raises as `functional.embedding` does: what it does not look at, as in a replay, gives rows of NaN, and labels
        that no class has.
        """
        numbers = index if isinstance(index, Tensor) else Tensor(backends.get(self.device).asarray(index))
        return tuple(_rows(array, numbers) for array in self.arrays)

    def __repr__(self) -> str:
        parts = ", ".join(f"{array.dtype}{list(array.shape)}" for array in self.arrays)
        return f"Resident({parts}, device={str(self.device)!r})"


def _rows(array: Array, numbers: Tensor) -> Tensor:
    """By the kernel that looks up rows of a table, which moves words as they are."""
    width = math.prod(array.shape[1:])
    table = array.reshape(len(array), width).view(WORDS[np.dtype(array.dtype)])
    found = F.embedding(numbers, table).data
    return Tensor(found.view(array.dtype).reshape(*numbers.shape, *array.shape[1:]))
