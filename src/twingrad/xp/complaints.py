"""What to tell of an operation that failed: which one, its shapes, devices or libraries, and the cure."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad.errors import DeviceError


def complaint(name: str, operands: tuple[Any, ...], error: Exception) -> Exception:
    """The exception to raise for `error`, which the operation `name` on plain `operands` raised: itself, or one that
    says more.
    """
    arrays = [a for a in operands if hasattr(a, "shape") and hasattr(a, "dtype")]
    libraries = list(dict.fromkeys(_library(a) for a in arrays))
    if len(libraries) > 1:
        return TypeError(
            f"xp.{name}: arrays of two libraries in one operation: {' and '.join(libraries)}; "
            "move one of them, with to_device or the asarray of the other's library"
        )
    devices = list(dict.fromkeys(str(a.device) for a in arrays if hasattr(a, "device")))
    if len(devices) > 1:
        return DeviceError(
            f"xp.{name}: arrays of two devices in one operation: {' and '.join(devices)}; move one with to_device"
        )
    shapes = [tuple(a.shape) for a in arrays]
    if isinstance(error, ValueError | RuntimeError) and len(shapes) > 1 and not _fit(name, shapes):
        rule = _RULES.get(name, "broadcast: from the right, each pair of axes is equal, or one of them is 1")
        return ValueError(f"xp.{name}: shapes {' and '.join(map(str, shapes))} do not fit; they must {rule}")
    return error


_RULES = {
    "matmul": "be (..., n, k) and (..., k, m), the axes before them broadcasting",
}


def _fit(name: str, shapes: list[tuple[int, ...]]) -> bool:
    """Whether the shapes are what the operation takes, so that it failed for another reason."""
    if name == "matmul":
        left, right = shapes[0], shapes[1]
        inner = bool(left and right) and left[-1] == right[-2 if len(right) > 1 else -1]
        return inner and _broadcast([left[:-2], right[:-2]])
    return _broadcast(shapes)


def _broadcast(shapes: list[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def _library(array: Any) -> str:
    return "numpy" if isinstance(array, np.ndarray | np.generic) else type(array).__module__.partition(".")[0]
