"""The functions of `twingrad.xp` that a captured step can repeat: + - * /, a change of sign, and changes of shape.

Their results are those of the array's library to the bit. Operands have one floating dtype and one shape, or one of
them is a single number; changes of shape are views, with nothing to repeat. What computes is an `Arithmetic` for each
backend, registered by its kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from twingrad.autodiff import Tensor
from twingrad.autodiff.tape import Destination, Node, Operation, is_recording, recorded
from twingrad.autodiff.tensor import made
from twingrad.errors import CaptureError
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.recording import SUM, bound

SYMBOLS = {"add": "sum_of", "subtract": "difference_of", "multiply": "product_of", "divide": "quotient_of"}
"""The kernel of each function, on every backend."""


class Arithmetic(NamedTuple):
    """The kernels of a backend.

    launch(name, out, x, y): out = x + y, x - y, x * y or x / y, for "add", "subtract", "multiply" or "divide"; x and y
    are of the shape of out, or single numbers. copy(out, x). empty(like). number(value, like): a number as an array
    without axes beside `like`. refusal(array, like): why `array` is no operand beside `like`, or None.
    """

    launch: Callable[[str, Array, Array, Array], None]
    copy: Callable[[Array, Array], None]
    empty: Callable[[Array], Array]
    number: Callable[[float, Array], Array]
    refusal: Callable[[Any, Array], str | None]


arithmetics: dict[str, Arithmetic] = {}
"""By backend."""


def compute(name: str, x: Any, y: Any) -> Array:
    """The plain operands by the kernel of xp.`name`, in a fresh array."""
    like = next((a for a in (x, y) if getattr(a, "shape", ()) != ()), x if hasattr(x, "dtype") else y)
    by = _of(name, like)
    arrays = [by.number(a, like) if _is_number(a, like) else a for a in (x, y)]
    reason = next((why for a in arrays if (why := by.refusal(a, like) or shape_refusal(a, like)) is not None), None)
    if reason is not None:
        raise CaptureError(f"xp.{name} cannot be captured: {reason}")
    out = by.empty(like)
    by.launch(name, out, *arrays)
    return out


def _is_number(operand: Any, like: Any) -> bool:
    """Whether it takes the dtype of `like`: NumPy's numbers keep their own."""
    if isinstance(operand, np.generic):
        return bool(operand.dtype == like.dtype)
    return isinstance(operand, int | float)


def _of(name: str, like: Any) -> Arithmetic:
    found = arithmetics.get(backend_of(like) or "cpu")
    if found is None:
        raise CaptureError(f"xp.{name} cannot be captured: there are no kernels for {type(like).__name__}")
    return found


def shape_refusal(array: Array, like: Array) -> str | None:
    """Why the shape of an operand does not fit, or None."""
    if array.shape not in (like.shape, ()):
        return f"its kernel takes equal shapes, or an array and a single number; got {array.shape} and {like.shape}"
    return None


SLOPES: dict[str, tuple[Callable[..., Array], ...]] = {
    "add": (lambda g, out, x, y: g, lambda g, out, x, y: g),
    "subtract": (lambda g, out, x, y: g, lambda g, out, x, y: compute("multiply", g, -1.0)),
    "multiply": (lambda g, out, x, y: compute("multiply", g, y), lambda g, out, x, y: compute("multiply", g, x)),
    "divide": (
        lambda g, out, x, y: compute("divide", g, y),
        lambda g, out, x, y: compute("divide", compute("multiply", compute("multiply", g, -1.0), out), y),
    ),
}
"""The cotangent of each argument: the rules of `xp.elementwise`, by kernels."""


def pull(node: Node, grad: Array, into: tuple[Destination | None, ...]) -> list[Array | None]:
    """The gradients of both arguments, each in its place."""
    args = [a.data if isinstance(a, Tensor) else a for a in node.inputs]
    return [
        None if place is None else delivered(node.name, place, slope(grad, node.out, *args), given)
        for place, slope, given in zip(into, SLOPES[node.name], args, strict=True)
    ]


def delivered(name: str, place: Destination, gradient: Array, given: Array) -> Array:
    """The gradient where it belongs: added or copied to an array that is given, else as it is."""
    if gradient.shape != given.shape:
        raise CaptureError(
            f"xp.{name} cannot be captured: the gradient of its argument of shape {given.shape} is a sum over "
            f"{gradient.shape}, which has no bound form"
        )
    if place.array is None:
        return gradient
    by = _of(name, gradient)
    if place.accumulate:
        by.launch("add", place.array, place.array, gradient)
    else:
        by.copy(place.array, gradient)
    return place.array


def binary(name: str) -> Callable[..., Tensor]:
    """xp.`name` of two operands, by its kernel."""
    operation = Operation(name, pull)

    def function(x: Any, y: Any, /) -> Tensor:
        out = compute(name, *[a.data if isinstance(a, Tensor) else a for a in (x, y)])
        return made(out, recorded(operation, out, (x, y), None) if is_recording((x, y)) else None)

    return function


def view(name: str) -> Callable[..., Tensor]:
    """xp.`name`, which gives the same memory another shape."""

    def pull(node: Node, grad: Array, into: tuple[Destination | None, ...]) -> list[Array | None]:
        given = node.inputs[0].data
        return [into[0] and delivered(name, into[0], reshaped(name, grad, given.shape), given)]

    operation = Operation(name, pull)

    def function(x: Tensor, /, *args: Any, **kwargs: Any) -> Tensor:
        out = reshaped(name, x.data, getattr(namespace_of(x.data), name)(x.data, *args, **kwargs).shape)
        tensor = made(out, recorded(operation, out, (x,), None) if is_recording((x,)) else None)
        tensor.memory = x.shared_memory()
        return tensor

    return function


def reshaped(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    """`array` in another shape without a copy."""
    if backend_of(array) is None or not array.flags.c_contiguous:
        raise CaptureError(f"xp.{name} cannot be captured: its argument is not C-contiguous, and is copied")
    return array.reshape(shape)


def total(held: Array, gradient: Array) -> Array:
    """The sum of two gradients that reach one tensor."""
    return compute("add", held, gradient)


def register(backend: str, arithmetic: Arithmetic) -> None:
    """Have captured steps compute so on `backend`."""
    arithmetics[backend] = arithmetic
    bound.update({name: binary(name) for name in SLOPES})
    bound.update({name: view(name) for name in ("reshape", "expand_dims", "squeeze")})
    bound["negative"] = lambda x, /: bound["multiply"](x, -1.0)
    bound[SUM] = total
