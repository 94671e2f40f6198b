"""Sums and means of `twingrad.xp` that a captured step can repeat, to NumPy's bits, with their gradients.

The axes that are summed stand side by side (axes of length 1 apart), so that x is (outer, count, inner) and the result
(outer, inner). Others NumPy adds in an order of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twingrad.autodiff import Tensor
from twingrad.autodiff.tape import Destination, Node, Operation, is_recording, recorded
from twingrad.autodiff.tensor import made
from twingrad.errors import CaptureError
from twingrad.kernels.arithmetic import compute, delivered
from twingrad.kernels.cpu import Kernel, unavailable
from twingrad.kernels.cpu.arguments import plain
from twingrad.kernels.cpu.arithmetic import operand_refusal
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array
from twingrad.recording import bound
from twingrad.xp.reductions import axes_of

AXIS_SUM, AXIS_SPREAD = Kernel("axis_sum", 2, "3qd"), Kernel("axis_spread", 2, "3q")


def reduction(name: str, *, mean: bool) -> Callable[..., Tensor]:
    """xp.`name` over axes side by side, by its kernel."""

    def pull(node: Node, grad: Array, into: tuple[Destination | None, ...]) -> list[Array | None]:
        given, (outer, count, inner) = node.inputs[0].data, node.keywords["sizes"]
        if into[0] is None:
            return [None]
        grad = plain(grad, given)
        grad = compute("divide", grad, count or 1) if mean else grad
        spread = empty(given.shape, given.dtype)
        AXIS_SPREAD((spread, grad), outer, count, inner)
        return [delivered(name, into[0], spread, given)]

    operation = Operation(name, pull)

    def function(x: Tensor, /, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
        array, axes = x.data, axes_of(axis, x.ndim)
        reason = operand_refusal(array, array)
        if reason is None and dtype is not None and dtype != array.dtype:
            reason = f"its kernel gives the dtype of its argument, {array.dtype}; got dtype={dtype}"
        if reason is None and not side_by_side(array.shape, axes):
            reason = f"its kernel sums axes that stand side by side; got {axes} of shape {array.shape}"
        if reason is not None:
            raise CaptureError(f"xp.{name} cannot be captured: {reason}")
        sizes = cut(array.shape, axes)
        out = empty(left(array.shape, axes, keepdims), array.dtype)
        AXIS_SUM((out, array), *sizes, sizes[1] if mean else 1)
        return made(out, recorded(operation, out, (x,), {"sizes": sizes}) if is_recording((x,)) else None)

    return function


def side_by_side(shape: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Whether no axis between those that are summed stays, one of length 1 apart."""
    between = range(axes[0], axes[-1]) if axes else ()
    return all(axis in axes or shape[axis] == 1 for axis in between)


def cut(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, int, int]:
    """Elements before the axes that are summed, in them, and after them."""
    if not axes:
        return math.prod(shape), 1, 1
    first, end = axes[0], axes[-1] + 1
    return math.prod(shape[:first]), math.prod(shape[first:end]), math.prod(shape[end:])


def left(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """The shape of the result."""
    if keepdims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


if unavailable() is None:
    bound["sum"] = reduction("sum", mean=False)
    bound["mean"] = reduction("mean", mean=True)
