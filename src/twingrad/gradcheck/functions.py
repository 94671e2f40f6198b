"""A function of arrays as a problem of gradient checking."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.autodiff import Tensor, no_grad, value_and_grad
from twingrad.gradcheck.differences import Floats, Line
from twingrad.namespace import namespace_of
from twingrad.nn.flat import moved
from twingrad.nn.state import host_copy


class OfFunction:
    """A function's value by its floating arguments, which arrive as float64 Tensors; see `differences.Problem`."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], argnums: int | tuple[int, ...] | None):
        self.function, self.evaluations, self.mode, self.frozen = function, 0, "", list[str]()
        self.args = [a.data if isinstance(a, Tensor) else a for a in args]
        self.places = _places(function, self.args, argnums)
        self.likes = [as_float64(self.args[place]) for place in self.places]
        self.names = _names(function, len(args), self.places)
        self.shapes = [tuple(like.shape) for like in self.likes]
        self.values = [host_copy(like).reshape(-1) for like in self.likes]
        self._now = [values.copy() for values in self.values]

    def put(self, number: int, where: Any, values: Any) -> None:
        """See `Problem`."""
        self._now[number][where] = values

    def cost(self) -> float:
        """See `Problem`."""
        self.evaluations += 1
        with no_grad():
            return scalar(self.function(*map(_held, self._arguments())))

    def gradient(self) -> list[Floats]:
        """See `Problem`."""
        found = value_and_grad(self.function, tuple(self.places))(*self._arguments())[1]
        return [host_copy(gradient).reshape(-1) for gradient in found]

    def crossed(self, number: int, line: Line, step: float) -> str:
        """See `Problem`: the operations of a function are not watched."""
        return ""

    def _arguments(self) -> list[Any]:
        args = list(self.args)
        for place, now, like in zip(self.places, self._now, self.likes, strict=True):
            args[place] = moved(now.copy().reshape(like.shape), like)
        return args


def scalar(value: Any) -> float:
    """The cost as a Python number.

    Raises TypeError for what is no Tensor of float64, ValueError for more than one number.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"check_grads: the cost came as {type(value).__name__}, off the tape; return the Tensor itself")
    if value.shape != ():
        raise ValueError(
            f"check_grads: the cost must be one number, of shape (); got shape {value.shape}: take its mean() or sum()"
        )
    if value.dtype != namespace_of(value.data).float64:
        raise TypeError(
            f"check_grads: the cost came as {value.dtype} from float64 arguments, in which differences of 1e-7 drown; "
            "leave dtypes to the arguments inside the function"
        )
    return float(value)


def as_float64(value: Any) -> Any:
    """A float64 copy of a number or an array of any library.

    Raises TypeError where its library or device has no float64.
    """
    if isinstance(value, int | float):
        return np.asarray(float(value))
    xp = namespace_of(value)
    try:
        return xp.astype(value, xp.float64, copy=True)
    except Exception as error:
        raise TypeError(f"check_grads computes in float64, which these arrays cannot: {error}") from error


def is_floating(value: Any) -> bool:
    """Whether a value is a float or an array of real floats."""
    if isinstance(value, float):
        return True
    return (
        hasattr(value, "shape")
        and hasattr(value, "dtype")
        and namespace_of(value).isdtype(value.dtype, "real floating")
    )


def _held(value: Any) -> Any:
    return Tensor(value) if hasattr(value, "shape") and hasattr(value, "dtype") else value


def _places(function: Any, args: list[Any], argnums: int | tuple[int, ...] | None) -> list[int]:
    """The positions of the arguments to differentiate by."""
    if argnums is None:
        found = [place for place, value in enumerate(args) if is_floating(value)]
        if not found:
            given = ", ".join(_described(value) for value in args) or "no arguments"
            raise TypeError(f"check_grads needs a floating argument to differentiate by; got {given}: cast to float64")
        return found
    found = [argnums] if isinstance(argnums, int) else list(argnums)
    for place in found:
        if not 0 <= place < len(args):
            raise ValueError(f"check_grads: argnums {place} of a call with {len(args)} arguments")
        if not is_floating(args[place]):
            raise TypeError(
                f"check_grads: argument {place} is {_described(args[place])}, which has no gradient: cast it to float64"
            )
    if not found:
        raise ValueError("check_grads: argnums names no argument")
    return found


def _names(function: Any, count: int, places: list[int]) -> list[str]:
    """The function's own names for its arguments, where it has them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [known[place] if place < len(known) else f"argument {place}" for place in places]


def _described(value: Any) -> str:
    return (
        f"{value.dtype} of shape {tuple(value.shape)}"
        if hasattr(value, "dtype")
        else f"{type(value).__name__} {value!r}"
    )
