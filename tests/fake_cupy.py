"""A stand-in for CuPy, made of NumPy arrays: enough of it for the device code, with faults on request."""

from __future__ import annotations

import contextlib
import types
from typing import Any, ClassVar

import numpy as np


class FakeDevice(contextlib.AbstractContextManager):
    """`cupy.cuda.Device`: a number, and a context that makes it current."""

    current: ClassVar = [0]

    def __init__(self, index: int | None = None) -> None:
        self.id = self.current[-1] if index is None else index
        self.synchronized = 0

    def __enter__(self) -> FakeDevice:
        self.current.append(self.id)
        return self

    def __exit__(self, *error: object) -> None:
        self.current.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeDevice) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def synchronize(self) -> None:
        self.synchronized += 1

    mem_info = (3, 4)
    compute_capability = "90"
    attributes: ClassVar = {"MultiProcessorCount": 2}


class FakeArray(np.ndarray):
    """`cupy.ndarray`: knows its device and gives a host copy by `get`."""

    gpu = 0

    def __array_finalize__(self, other: Any) -> None:
        self.gpu = FakeDevice.current[-1]

    @property
    def device(self) -> FakeDevice:
        return FakeDevice(self.gpu)

    @property
    def data(self) -> Any:
        return types.SimpleNamespace(ptr=self.ctypes.data)

    def get(self) -> np.ndarray:
        return np.array(self.view(np.ndarray))


FakeArray.__module__ = "cupy"


def make(count: int = 1, *, driver_error: str | None = None, kernel_error: str | None = None) -> types.ModuleType:
    """A module named cupy with `count` GPUs, whose driver or whose kernels fail with the given message."""

    def get_device_count() -> int:
        if driver_error:
            raise RuntimeError(driver_error)
        return count

    def arange(n: int, dtype: Any = None) -> FakeArray:
        cupy.launches += 1
        if kernel_error:
            raise RuntimeError(kernel_error)
        return np.arange(n, dtype=dtype).view(FakeArray)

    cupy: Any = types.ModuleType("cupy")
    cupy.__version__ = "14.0.0"
    cupy.launches = 0
    cupy.ndarray = FakeArray
    cupy.arange = arange
    cupy.array = lambda a, dtype=None: np.array(a, dtype=dtype).view(FakeArray)
    cupy.asarray = lambda a, dtype=None: np.asarray(a, dtype=dtype).view(FakeArray)
    cupy.ascontiguousarray = lambda a: np.ascontiguousarray(a).view(FakeArray)
    cupy.zeros = lambda n, dtype: np.zeros(n, dtype).view(FakeArray)
    cupy.empty = lambda shape, dtype: np.empty(shape, dtype).view(FakeArray)
    cupy.cuda = types.SimpleNamespace(
        Device=FakeDevice,
        is_available=lambda: driver_error is None and count > 0,
        runtime=types.SimpleNamespace(getDeviceCount=get_device_count),
    )
    return cupy
