"""What to tell of an operation that failed: which one, on what, and the cure."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad.devices import device_of
from twingrad.errors import DeviceError
from twingrad.namespace import backend_of, two_devices

BROADCAST = "broadcast: from the right, each pair of axes is equal, or one of them is 1"
RULES = {
    "matmul": "be (..., n, k) and (..., k, m), the axes before them broadcasting",
    "concat": "be equal on all axes but the one to join along",
    "stack": "be equal; broadcast_arrays makes them so",
}
"""What the shapes of an operation must be, where that is not to broadcast."""

_SAID_AGAIN = (ValueError, TypeError, IndexError, RuntimeError, np.exceptions.AxisError, np.linalg.LinAlgError)


def complaint(name: str, operands: tuple[Any, ...], error: Exception, broadcasts: bool = False) -> Exception:
    """The exception to raise for `error`, which the operation `name` on plain `operands` raised.

    Arrays of two libraries give a TypeError, of two devices a DeviceError, shapes that do not fit a ValueError; any
    other plain error is said again of the operation and its operands.
    """
    name = name.removeprefix("_")  # of an inner function, such as the one behind x[key] = value
    arrays = [a for a in operands if hasattr(a, "shape") and hasattr(a, "dtype")]
    libraries = list(dict.fromkeys(_library(a) for a in arrays))
    if len(libraries) > 1:
        return TypeError(
            f"xp.{name}: arrays of two libraries in one operation: {' and '.join(libraries)}; "
            "make one of them an array of the other's library first"
        )
    devices = dict.fromkeys(_device(a) for a in arrays if hasattr(a, "device"))
    if len(devices) > 1:
        return DeviceError(f"xp.{name}: {two_devices(devices)}")
    shapes = [tuple(a.shape) for a in arrays]
    rule = RULES.get(name, BROADCAST if broadcasts else None)
    if rule is not None and len(shapes) > 1 and isinstance(error, ValueError | RuntimeError) and not _fit(name, shapes):
        return ValueError(f"xp.{name}: shapes {' and '.join(map(str, shapes))} do not fit; they must {rule}")
    if arrays and type(error) in _SAID_AGAIN:
        given = " and ".join(f"{a.dtype}{list(a.shape)}" for a in arrays)
        return type(error)(f"xp.{name} of {given}: {error}")
    return error


def _fit(name: str, shapes: list[tuple[int, ...]]) -> bool:
    """Whether the shapes are what the operation takes, so that it failed for another reason."""
    if name == "matmul":
        left, right = shapes[0], shapes[1]
        inner = bool(left and right) and left[-1] == right[-2 if len(right) > 1 else -1]
        return inner and _broadcast([left[:-2], right[:-2]])
    if name in ("concat", "stack"):
        return False
    return _broadcast(shapes)


def _broadcast(shapes: list[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def _library(array: Any) -> str:
    return "numpy" if isinstance(array, np.ndarray | np.generic) else type(array).__module__.partition(".")[0]


def _device(array: Any) -> str:
    return str(array.device) if backend_of(array) is None else device_of(array)
