"""What the array API standard lacks, once for each library that twingrad has kernels for: NumPy (cpu) and CuPy (cuda).

Everything that the standard does have is asked of the array's own namespace. Arrays of any other conforming library run
on the reference path and need no backend; moving them here is refused, by name.
"""

from __future__ import annotations

from typing import Any, Protocol

from twingrad.backends.cpu import CpuBackend
from twingrad.backends.cuda import CudaBackend
from twingrad.devices import Device, resolve

__all__ = ["Backend", "get"]

Array = Any


class Backend(Protocol):
    """The members that every backend has, and all that it has."""

    @property
    def device(self) -> str:
        """The device's name."""

    def namespace(self) -> Any:
        """The library's array API namespace."""

    def asarray(self, array: Array, *, dtype: Any = None, copy: bool = False) -> Array:
        """`array` on this device; itself if it is there already with this dtype, unless `copy` asks for another."""

    def to_numpy(self, array: Array) -> Any:
        """A NumPy array with the values of `array`, which lives on this device."""

    def zeros_aligned(self, size: int, dtype: Any) -> Array:
        """A one-dimensional array of `size` zeros whose first byte is at a multiple of 64."""

    def address(self, array: Array) -> int:
        """The address of the first element."""

    def synchronize(self) -> None:
        """Wait until the device has done what was asked of it."""

    def memory(self) -> tuple[int, int]:
        """Free and total memory in bytes; (0, 0) where the system does not tell."""


def get(device: str | None = None) -> Backend:
    """The backend of `device`, which is resolved as `twingrad.devices.resolve` does.

    Raises DeviceError where the device does not exist or cannot be used.

    >>> backend = get("cpu")
    >>> backend.zeros_aligned(3, "float32")
    array([0., 0., 0.], dtype=float32)
    """
    found: Device = resolve(device)
    return CpuBackend() if found.kind == "cpu" else CudaBackend(found.number)
