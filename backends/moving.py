"""Which values may move between devices."""

from __future__ import annotations

from typing import Any

import numpy as np

_VALUES = (np.ndarray, np.generic, bool, int, float, complex, list, tuple)


def is_cupy(array: Any) -> bool:
    """Whether `array` is CuPy's, told without importing CuPy."""
    return type(array).__module__.partition(".")[0] == "cupy"


def check_movable(array: Any, device: str) -> None:
    """Raise TypeError unless `array` is NumPy's, CuPy's, or a Python number or sequence of them."""
    if is_cupy(array) or isinstance(array, _VALUES):
        return
    kind = type(array)
    raise TypeError(
        f"cannot move a {kind.__module__}.{kind.__qualname__} to {device!r}: twingrad moves arrays of NumPy and CuPy; "
        "convert it with numpy.asarray first, or leave it where it is: the reference path computes with its own library"
    )
