"""The results of a captured step: Tensors, in tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad.autodiff import Tensor
from twingrad.errors import CaptureError


def detached(result: Any) -> Any:
    """The result without its tape, so that the arrays behind it are kept by the program alone."""
    return _map(lambda tensor: tensor.detach(), result)


def copied(result: Any) -> Any:
    """The result in memory that later replays leave alone."""
    return _map(lambda tensor: Tensor(tensor.data.copy()), result)


def _map(function: Callable[[Tensor], Tensor], result: Any) -> Any:
    if isinstance(result, Tensor):
        return function(result)
    if isinstance(result, tuple | list):
        make = getattr(type(result), "_make", type(result))  # named tuples take their parts one by one
        return make([_map(function, part) for part in result])
    if isinstance(result, dict):
        return {key: _map(function, part) for key, part in result.items()}
    if result is None:
        return None
    raise CaptureError(
        f"a captured step returns Tensors, in tuples, lists or dicts, or None; got {type(result).__name__}"
    )
