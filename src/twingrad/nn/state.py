"""The state of a model as host arrays by path, checked as a whole before any of them is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from twingrad import backends, devices
from twingrad.autodiff import Tensor
from twingrad.namespace import Array, backend_of
from twingrad.nn.flat import moved

if TYPE_CHECKING:
    from twingrad.nn.module import Module

BATCHES = "num_batches_tracked"
"""The counter that belongs to the state: of batches that a batch normalisation has seen."""


def state_of(model: Module) -> dict[str, np.ndarray[Any, Any]]:
    """Parameters, buffers and counts of batches by path: copies."""
    found: dict[str, Any] = {}
    for path, module in model.modules():
        own = {**module._parameters, **module._buffers}
        if BATCHES in module._counters:
            own[BATCHES] = np.asarray(module._counters[BATCHES].value, np.int64)
        for name, value in own.items():
            found[f"{path}.{name}" if path else name] = host_copy(value)
    return found


def fitting(
    who: str, state: Mapping[str, Any], own: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, np.ndarray[Any, Any]]:
    """`state` as arrays that can be written over the model's `own`.

    Raises ValueError for what is missing, unexpected, of another shape or a negative count, TypeError for no dict, no
    array, or a dtype that does not cast.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"{who} loads a dict of arrays by path, as state_dict gives it; got {type(state).__name__}")
    missing, unexpected = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or unexpected:
        raise ValueError(
            f"the state does not fit this {who}: missing {_listed(missing)}; unexpected {_listed(unexpected)}"
        )
    return {name: _fitting(name, value, own[name]) for name, value in state.items()}


def load(model: Module, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write what fits into the parameters, buffers and counters."""
    for path, module in model.modules():
        prefix = f"{path}." if path else ""
        for name, parameter in module._parameters.items():
            parameter.assign(moved(arrays[prefix + name], parameter.data))
        for name, buffer in module._buffers.items():
            write(buffer, arrays[prefix + name])
        if BATCHES in module._counters:
            module._counters[BATCHES].value = int(arrays[prefix + BATCHES])


def host_copy(value: Any) -> np.ndarray[Any, Any]:
    """A C-contiguous NumPy copy of an array or Tensor of any library."""
    array = value.data if isinstance(value, Tensor) else value
    if backend_of(array) is None:
        array = np.from_dlpack(array)
    return np.array(backends.get(devices.device_of(array)).to_numpy(array), order="C", copy=True)


def _fitting(name: str, value: Any, own: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # bfloat16 of PyTorch's, or what requires a gradient there
        raise TypeError(f"{name} of the state does not turn into a NumPy array: {error}") from error
    if array.shape != own.shape:
        raise ValueError(f"{name} has shape {own.shape} in the model and {array.shape} in the state")
    if not np.can_cast(array.dtype, own.dtype, "same_kind"):
        raise TypeError(f"{name} has dtype {own.dtype} in the model and {array.dtype} in the state")
    if name.endswith(BATCHES) and not 0 <= array < 1 << 32:
        raise ValueError(f"{name} counts batches, in [0, 2**32); it is {array} in the state")
    return array


def write(buffer: Array, value: Any) -> None:
    """Copy `value` into `buffer`, casting it to the buffer's dtype and library."""
    buffer[...] = moved(value, buffer)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
