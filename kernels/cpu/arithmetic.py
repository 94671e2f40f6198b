"""The functions of `twingrad.xp` that a captured step can repeat: + - * /, a change of sign, and changes of shape.

Their results are NumPy's to the bit. Operands have one floating dtype and one shape, or one of them is a single number;
changes of shape are views, with nothing to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.autodiff import Tensor
from twingrad.autodiff.tape import Destination, Node, Operation, is_recording, recorded
from twingrad.autodiff.tensor import made
from twingrad.errors import CaptureError
from twingrad.kernels.cpu import Kernel, unavailable
from twingrad.kernels.cpu.arguments import ADD, FLOATS
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array, namespace_of
from twingrad.recording import SUM, bound

COPY = Kernel("copy", 2, "q")
KERNELS = {
    name: Kernel(symbol, 3, "3q")
    for name, symbol in {
        "add": "sum_of",
        "subtract": "difference_of",
        "multiply": "product_of",
        "divide": "quotient_of",
    }.items()
}


def compute(name: str, x: Any, y: Any) -> Array:
    """The plain operands by the kernel of xp.`name`, in a fresh array."""
    like = next((a for a in (x, y) if isinstance(a, np.ndarray) and a.shape != ()), x if hasattr(x, "dtype") else y)
    arrays = [_array(a, like) for a in (x, y)]
    reason = next((why for a in arrays if (why := operand_refusal(a, like)) is not None), None)
    if reason is not None:
        raise CaptureError(f"xp.{name} cannot be captured: {reason}")
    out = empty(like.shape, like.dtype)
    KERNELS[name]((out, *arrays), out.size, *[a.shape == out.shape for a in arrays])
    return out


def _array(operand: Any, like: Array) -> Any:
    """A Python number takes the dtype of `like`, NumPy's keep theirs."""
    if isinstance(operand, np.generic):
        return np.asarray(operand)
    return np.asarray(operand, like.dtype) if isinstance(operand, int | float) else operand


def operand_refusal(array: Any, like: Array) -> str | None:
    """Why `array` is no operand beside `like`, or None."""
    if type(array) is not np.ndarray or array.dtype != like.dtype or array.dtype not in FLOATS:
        dtypes = f"{getattr(array, 'dtype', type(array).__name__)} and {like.dtype}"
        return f"its kernel takes NumPy arrays of one dtype, float32 or float64; got {dtypes}"
    if array.shape not in (like.shape, ()):
        return f"its kernel takes equal shapes, or an array and a single number; got {array.shape} and {like.shape}"
    return None if array.flags.c_contiguous and array.flags.aligned else "an argument is not C-contiguous"


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
    if place.accumulate:
        ADD((place.array, place.array, gradient), gradient.size)
    else:
        COPY((place.array, gradient), gradient.size)
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
    if type(array) is not np.ndarray or not array.flags.c_contiguous:
        raise CaptureError(f"xp.{name} cannot be captured: its argument is no C-contiguous NumPy array, and is copied")
    return array.reshape(shape)


def total(held: Array, gradient: Array) -> Array:
    """The sum of two gradients that reach one tensor."""
    return compute("add", held, gradient)


if unavailable() is None:
    bound.update({name: binary(name) for name in KERNELS})
    bound.update({name: view(name) for name in ("reshape", "expand_dims", "squeeze")})
    bound["negative"] = lambda x, /: bound["multiply"](x, -1.0)
    bound[SUM] = total
