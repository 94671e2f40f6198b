"""Registers the kernels of the losses; see `overrides.py`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import Fusable
from twingrad.kernels.cpu import Kernel
from twingrad.kernels.cpu.arguments import constant, deliver, plain, refusal, table_refusal
from twingrad.kernels.cpu.memory import empty
from twingrad.kernels.losses import register
from twingrad.namespace import Array

INT64, BOOL = np.dtype(np.int64), np.dtype(np.bool_)
PIECE = 8192
"""Elements of a piece of the losses that one thread sums."""

Into = tuple[Destination | None, ...]
Given = tuple[Array | None, ...]

SOFTMAX = Kernel("softmax_cross_entropy", 9, "4qd")
SOFTMAX_BACKWARD = Kernel("softmax_cross_entropy_backward", 8, "4q")
LAYOUT = "7q"
"""Of every loss of single numbers: rows, columns, piece, integers, class_stride, mean, grad_stride."""


def target_refusal(like: Array, target: Array, *, whole: bool) -> str | None:
    """None for targets of int64 (where `whole` numbers are meant) or of the dtype of `like`."""
    return table_refusal("target", target, INT64 if whole else like.dtype)


def softmax_refusal(
    logits: Array, target: Array, class_weight: Any = None, example_weight: Any = None, *, reduction: str = "mean"
) -> str | None:
    if logits.shape[1] == 0:
        return "logits have no classes"
    weights = {"class_weight": class_weight, "example_weight": example_weight}
    return refusal(logits=logits, **{name: w for name, w in weights.items() if w is not None}) or target_refusal(
        logits, target, whole=target.ndim == 1
    )


def softmax_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    constant("softmax_cross_entropy", into, target=1, class_weight=2, example_weight=3)
    probabilities, *rest = saved
    target = rest[2]
    arrays = (plain(grad, probabilities), probabilities, *rest)
    numbers = (*probabilities.shape, target.ndim == 2, grad.ndim)
    dlogits = into[0] and deliver(into[0], probabilities, lambda out: SOFTMAX_BACKWARD((out, *arrays), *numbers))
    return (dlogits, None, None, None)[: len(into)]


@F.softmax_cross_entropy.kernel("cpu", accepts=softmax_refusal, backward=softmax_backward)
def softmax_cross_entropy(
    logits: Array, target: Array, class_weight: Any = None, example_weight: Any = None, *, reduction: str = "mean"
) -> Any:
    (n, _), mean = logits.shape, reduction == "mean"
    scale = (1.0 / n if n else np.nan) if mean else 1.0
    probabilities, losses, sums = empty(logits.shape, logits.dtype), *np.empty((2, n), logits.dtype)
    inverse, total = np.empty(1, logits.dtype), None if reduction == "none" else np.empty((), logits.dtype)
    given = (target, class_weight, example_weight)
    arrays = (total, losses, probabilities, sums, inverse, logits, *given)
    SOFTMAX.launch(logits.dtype, arrays, *logits.shape, target.ndim == 2, mean, scale)
    return (losses if total is None else total), (probabilities, sums, inverse, *given)


# --- losses of single numbers ----------------------------------------------------------------------------------------


def elementwise_refusal(x: Array, target: Array, weights: dict[str, Any], mask: Any) -> str | None:
    reason = refusal(x=x, **{name: w for name, w in weights.items() if w is not None})
    reason = reason or target_refusal(x, target, whole=getattr(target, "dtype", None) == INT64)
    return reason or (None if mask is None else table_refusal("mask", mask, BOOL))


def elementwise_forward(kernel: Kernel, x: Array, given: Given, reduction: str) -> Any:
    """given: target, class_weight, example_weight, mask."""
    target, class_weight, _, _ = given
    shape = (x.shape[0], x.shape[1] if x.ndim == 2 else 1)
    each = reduction == "none"
    losses, total = empty(x.shape, x.dtype) if each else None, None if each else np.empty((), x.dtype)
    inverse, pieces = np.empty(1, x.dtype), np.empty((-(-x.size // PIECE), 2), x.dtype)
    stride = 2 if class_weight is not None and class_weight.ndim == 2 else 0
    numbers = (*shape, PIECE, target.dtype == INT64, stride, reduction == "mean")  # type: ignore[union-attr]
    kernel.launch(x.dtype, (total, losses, inverse, pieces, x, *given, None), *numbers, 0)
    return (losses if total is None else total), (x, inverse, given, numbers)


def elementwise_backward(
    kernel: Kernel, constants: dict[str, int], saved: tuple[Any, ...], grad: Array, into: Into
) -> Any:
    constant(kernel.name.removesuffix("_backward"), into, **constants)
    x, inverse, given, numbers = saved
    grad = plain(grad, x)

    def write(out: Array) -> None:
        kernel((out, None, inverse, None, x, *given, grad), *numbers, grad.ndim > 0)

    return (into[0] and deliver(into[0], x, write), *[None] * (len(into) - 1))


def kernels_of(operation: Fusable, **constants: int) -> tuple[Any, Any]:
    """See `../losses.py`."""
    forward, slope = (Kernel(f"{operation.name}{part}", 10, LAYOUT) for part in ("", "_backward"))
    return functools.partial(elementwise_forward, forward), functools.partial(elementwise_backward, slope, constants)


register("cpu", elementwise_refusal, kernels_of)
