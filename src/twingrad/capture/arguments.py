"""The arguments of a captured step: what must be the same at each call, and where arrays are copied to."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad.autodiff import Tensor
from twingrad.errors import CaptureError
from twingrad.namespace import backend_of


def signature(value: Any) -> Any:
    """What must be the same at each call: an array's type, dtype and shape, the value of a number or a text, and
    which object anything else is.
    """
    array = value.data if isinstance(value, Tensor) else value
    if type(array) is np.ndarray:
        return np.ndarray, array.dtype, array.shape
    if isinstance(array, np.generic | int | float | complex | str | bytes | None):
        return type(array), repr(array)
    if hasattr(array, "shape"):
        place = array.device.id if backend_of(array) == "cuda" else str(getattr(array, "device", ""))
        return type(array), array.dtype, array.shape, place
    if isinstance(array, tuple | list | dict):
        parts = [*array, *array.values()] if isinstance(array, dict) else array
        return (type(array), *map(signature, _without_arrays(parts)))
    return type(array), id(array)


def _without_arrays(parts: Any) -> Any:
    if any(hasattr(part, "shape") and not isinstance(part, np.generic) for part in parts):
        raise CaptureError("a captured step takes arrays as arguments of their own, not inside a tuple, list or dict")
    return parts


def described(of: Any) -> str:
    """A signature in words: an array's dtype and shape, a number, a kind."""
    kind, *rest = of
    if len(rest) in (2, 3) and isinstance(rest[1], tuple) and not isinstance(rest[0], tuple):
        return f"{rest[0]}{list(rest[1])}"
    if len(rest) == 1 and isinstance(rest[0], str):
        return rest[0]
    return f"a {kind.__name__}" if kind not in (tuple, list, dict) else f"{kind.__name__} of {len(rest)}"


def copy_of(value: Any) -> Any:
    """A private copy of an array argument, which each replay overwrites; None for anything else."""
    array = value.data if isinstance(value, Tensor) else value
    if isinstance(value, Tensor) and value.requires_grad:
        raise CaptureError("an argument of a captured step requires a gradient, which is not kept; pass x.detach()")
    if isinstance(array, np.ndarray):
        return np.array(array, order="C")
    return array.copy(order="C") if backend_of(array) == "cuda" else None


def shown(buffer: Any) -> Tensor:
    """`buffer` as the step sees it: a Tensor, so that the array's own library cannot compute with it unseen; and
    read-only where the library knows that, for what is written into a copy never reaches the caller's array.
    """
    view = buffer.view()
    if isinstance(view, np.ndarray):
        view.flags.writeable = False
    return Tensor(view)
