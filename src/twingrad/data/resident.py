"""A data set that stays where the model is: mini-batches are gathered there, inside a captured step too."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import backends
from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.devices import Device, resolve
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.recording import current

HELD = tuple(map(np.dtype, (np.float32, np.float64, np.int64)))
"""The dtypes that can be held as they are."""


class Resident:
    """Arrays of N examples each on one device; `gather(index)` gives the rows of a mini-batch.

    arrays: (N, ...) each, float32, float64 or int64 (labels), or with a table uint8; NumPy's or CuPy's; copied only
    where they are elsewhere.
    table: (256,) floats, what a byte means: arrays of uint8 are held as they are, and looked up as they are gathered.
    device: where they are to stay; None takes the current one.

    Inside a step that `tg.capture` records, `gather` is one kernel for each array: the step takes the numbers of the
    examples, a few hundred bytes, and no batch crosses the bus. The order of an epoch (`data.batches`) can be uploaded
    at once, and cut there.

    Raises ValueError for no arrays, or of different lengths; TypeError for another dtype, or no array;
    DeviceMemoryError where the device has no room.

    >>> x = np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
    >>> held = Resident(x, np.asarray([0, 1, 2]), device="cpu")
    >>> x, y = held.gather(np.asarray([2, 0]))
    >>> x.numpy().tolist(), y.numpy().tolist()
    ([[5.0, 6.0], [1.0, 2.0]], [2, 0])
    """

    def __init__(self, *arrays: Array, device: str | None = None, table: Array | None = None) -> None:
        self.device: Device = resolve(device)
        backend = backends.get(self.device)
        for array in arrays:
            namespace_of(array)
            if np.dtype(array.dtype) not in HELD and (table is None or array.dtype != np.uint8):
                raise TypeError(
                    f"Resident holds float32, float64, int64 and, with a table, uint8; got {array.dtype}; convert it"
                )
        lengths = [array.shape[0] if array.shape else None for array in arrays]
        if not arrays or None in lengths or len(set(lengths)) > 1:
            raise ValueError(f"Resident takes arrays (N, ...) of one N, got shapes {[array.shape for array in arrays]}")
        xp = backend.namespace()
        self.arrays: tuple[Array, ...] = tuple(xp.ascontiguousarray(backend.asarray(array)) for array in arrays)
        self.table = None if table is None else backend.asarray(table)

    def __len__(self) -> int:
        return int(self.arrays[0].shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(int(array.nbytes) for array in self.arrays)

    def gather(self, index: Any) -> tuple[Tensor, ...]:
        """The rows at `index` of each array.

        index: (B,) int64, in [0, N), on any device. Returns (B, ...) of each.
        Raises as `functional.gather` does: what it does not look at, as in a replay, gives rows of NaN, and labels
        that no class has.
        """
        numbers = self._numbers(index)
        tables = [self.table if array.dtype == np.uint8 else None for array in self.arrays]
        return tuple(Tensor(F.gather(numbers, *pair)) for pair in zip(self.arrays, tables, strict=True))

    def rows(self, start: int, stop: int) -> tuple[Array, ...]:
        """The examples from `start` to `stop`, of each array: views, where no bytes are looked up."""
        numbers = backends.get(self.device).asarray(np.arange(start, stop))
        looked_up = [array.dtype == np.uint8 for array in self.arrays]
        pairs = zip(self.arrays, looked_up, strict=True)
        return tuple(F.gather(numbers, array, self.table) if codes else array[start:stop] for array, codes in pairs)

    def _numbers(self, index: Any) -> Tensor:
        """`index` on the device of the data; from NumPy's, a captured step sends it there before each replay."""
        array, backend = index.data if isinstance(index, Tensor) else index, backends.get(self.device)
        recording = current()
        if recording is None or self.device.kind == "cpu" or backend_of(array) != "cpu":
            return Tensor(backend.asarray(array))
        return Tensor(recording.mirror(array, backend.asarray))

    def __repr__(self) -> str:
        parts = ", ".join(f"{array.dtype}{list(array.shape)}" for array in self.arrays)
        return f"Resident({parts}, device={str(self.device)!r})"
