"""NumPy: what the array API standard lacks, on the CPU."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.backends.moving import check_movable, is_cupy

ALIGNMENT = 64


class CpuBackend:
    """See `twingrad.backends.Backend`."""

    device = "cpu"

    def namespace(self) -> Any:
        return np

    def asarray(self, array: Any, *, dtype: Any = None, copy: bool = False) -> NDArray[Any]:
        check_movable(array, self.device)
        if is_cupy(array):
            array, copy = array.get(), False
        return np.array(array, dtype=dtype, copy=copy or None)

    def to_numpy(self, array: Any) -> NDArray[Any]:
        return np.asarray(array)

    def zeros_aligned(self, size: int, dtype: Any) -> NDArray[Any]:
        size_bytes = size * np.dtype(dtype).itemsize
        room = np.zeros(size_bytes + ALIGNMENT, np.uint8)
        start = -room.ctypes.data % ALIGNMENT
        return room[start : start + size_bytes].view(dtype)

    def address(self, array: Any) -> int:
        return int(array.ctypes.data)

    def synchronize(self) -> None:
        """Nothing to wait for: NumPy returns when it is done."""

    def memory(self) -> tuple[int, int]:
        try:
            page = os.sysconf("SC_PAGE_SIZE")
            return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, OSError, ValueError):
            return 0, 0
