"""CuPy: what the array API standard lacks, on one NVIDIA GPU. CuPy is imported when a backend is made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.backends.memory import out_of_memory
from twingrad.backends.moving import check_movable, is_cupy


class CudaBackend:
    """See `twingrad.backends.Backend`. `twingrad.backends.get` probes the GPU before it makes one.

    What makes arrays raises DeviceMemoryError, a MemoryError, where the GPU has no room for them.
    """

    def __init__(self, index: int = 0) -> None:
        import cupy

        self._cupy: Any = cupy
        self._gpu: Any = cupy.cuda.Device(index)
        self.device = f"cuda:{index}" if index else "cuda"

    def namespace(self) -> Any:
        import array_api_compat.cupy

        return array_api_compat.cupy

    def asarray(self, array: Any, *, dtype: Any = None, copy: bool = False) -> Any:
        check_movable(array, self.device)
        with self._gpu:
            try:
                if is_cupy(array) and array.device == self._gpu and not copy:
                    return array if dtype is None else array.astype(dtype, copy=False)
                return self._cupy.array(array, dtype=dtype)
            except MemoryError:
                kind = getattr(array, "dtype", np.float64) if dtype is None else dtype
                raise out_of_memory(self._gpu, np.shape(array), kind) from None

    def to_numpy(self, array: Any) -> NDArray[Any]:
        return np.asarray(array.get())

    def zeros_aligned(self, size: int, dtype: Any) -> Any:
        """CuPy's memory pool gives addresses at multiples of 512 bytes."""
        with self._gpu:
            try:
                return self._cupy.zeros(size, dtype)
            except MemoryError:
                raise out_of_memory(self._gpu, (size,), dtype) from None

    def address(self, array: Any) -> int:
        return int(array.data.ptr)

    def synchronize(self) -> None:
        self._gpu.synchronize()

    def memory(self) -> tuple[int, int]:
        """What CuPy's pool has kept of what was freed counts as free."""
        free, total = self._gpu.mem_info
        with self._gpu:
            return int(free) + int(self._cupy.get_default_memory_pool().free_bytes()), int(total)
