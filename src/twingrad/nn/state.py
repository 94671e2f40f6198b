"""What a saved state holds: host arrays, checked as a whole before any of them is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import backends, devices
from twingrad.autodiff import Tensor
from twingrad.namespace import Array, backend_of
from twingrad.nn.flat import moved


def host_copy(value: Any) -> np.ndarray[Any, Any]:
    """A C-contiguous NumPy copy of an array or Tensor of any library."""
    array = value.data if isinstance(value, Tensor) else value
    if backend_of(array) is None:
        array = np.from_dlpack(array)
    return np.array(backends.get(devices.device_of(array)).to_numpy(array), order="C", copy=True)


def fitting(name: str, value: Any, own: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`value` as an array that can be written over the model's `own`.

    Raises ValueError for another shape or a negative count, TypeError for a dtype that does not cast.
    """
    array = np.asarray(value)
    if array.shape != own.shape:
        raise ValueError(f"{name} has shape {own.shape} in the model and {array.shape} in the state")
    if not np.can_cast(array.dtype, own.dtype, "same_kind"):
        raise TypeError(f"{name} has dtype {own.dtype} in the model and {array.dtype} in the state")
    if name.endswith("num_batches_tracked") and not 0 <= array < 1 << 32:
        raise ValueError(f"{name} counts batches, in [0, 2**32); it is {array} in the state")
    return array


def write(buffer: Array, value: Any) -> None:
    """Copy `value` into `buffer`, casting it to the buffer's dtype and library."""
    buffer[...] = moved(value, buffer)
