"""Registers the CUDA kernels of the losses; see `overrides.py`."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.fusable import Fusable
from twingrad.kernels.cpu.arguments import constant
from twingrad.kernels.cuda.activations import blocks_of_rows
from twingrad.kernels.cuda.arguments import (
    Into,
    Kernel,
    blocks_of,
    deliver,
    empty_wide,
    loaded,
    plain,
    stored_refusal,
    table_refusal,
)
from twingrad.kernels.losses import register
from twingrad.namespace import Array
from twingrad.precision import arithmetic

INT64, BOOL = np.dtype(np.int64), np.dtype(np.bool_)
PIECE = 2048
"""Elements of a piece of the losses that one block sums: PIECE of losses.cu."""

Given = tuple[Array | None, ...]

CROSS_ENTROPY, CROSS_ENTROPY_TOTAL, CROSS_ENTROPY_BACKWARD = (
    Kernel("softmax", f"cross_entropy{part}") for part in ("", "_total", "_backward")
)
LOSS_TOTAL = Kernel("losses", "loss_total")


def target_refusal(like: Array, target: Array, *, whole: bool) -> str | None:
    """None for targets of int64 (where `whole` numbers are meant) or of the dtype of `like`."""
    return table_refusal("target", target, INT64 if whole else arithmetic(like.dtype), like)


# --- cross-entropy of the softmax ------------------------------------------------------------------------------------


def softmax_refusal(
    logits: Array, target: Array, class_weight: Any = None, example_weight: Any = None, *, reduction: str = "mean"
) -> str | None:
    if logits.shape[1] == 0:
        return "logits have no classes"
    weights = {"class_weight": class_weight, "example_weight": example_weight}
    return stored_refusal(logits, "logits", **weights) or target_refusal(logits, target, whole=target.ndim == 1)


def softmax_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    constant("softmax_cross_entropy", into, target=1, class_weight=2, example_weight=3)
    logits, probabilities, *rest = saved
    grad, shape = plain(grad, probabilities), probabilities.shape
    numbers = *shape, rest[2].ndim == 2, grad.ndim

    def write(out: Array, adds: bool) -> None:
        CROSS_ENTROPY_BACKWARD(logits, blocks_of_rows(*shape), out, grad, probabilities, *rest, *numbers, adds)

    return (deliver(into[0], logits, write), None, None, None)[: len(into)]


@F.softmax_cross_entropy.kernel("cuda", accepts=loaded("softmax", softmax_refusal), backward=softmax_backward)
def softmax_cross_entropy(
    logits: Array, target: Array, class_weight: Any = None, example_weight: Any = None, *, reduction: str = "mean"
) -> Any:
    (n, columns), mean = logits.shape, reduction == "mean"
    scale = (1.0 / n if n else math.nan) if mean else 1.0
    losses, sums, probabilities = (empty_wide(logits, *shape) for shape in ((n,), (n,), (n, columns)))
    inverse, total = empty_wide(logits, 1), None if reduction == "none" else empty_wide(logits)
    given = target, class_weight, example_weight
    soft, weighted = target.ndim == 2, mean and not (class_weight is None and example_weight is None)
    blocks = blocks_of_rows(n, columns)
    CROSS_ENTROPY(logits, blocks, losses, probabilities, sums, logits, *given, n, columns, soft)
    CROSS_ENTROPY_TOTAL(logits, 1, total, inverse, losses, sums, example_weight, n, weighted, scale)
    return (losses if total is None else total), (logits, probabilities, sums, inverse, *given)


# --- losses of single numbers ----------------------------------------------------------------------------------------


def elementwise_refusal(x: Array, target: Array, weights: dict[str, Any], mask: Any) -> str | None:
    reason = stored_refusal(x, **weights) or target_refusal(x, target, whole=getattr(target, "dtype", None) == INT64)
    return reason or (None if mask is None else table_refusal("mask", mask, BOOL, x))


def elementwise_forward(kernel: Kernel, x: Array, given: Given, reduction: str) -> Any:
    """given: target, class_weight, example_weight, mask."""
    target, class_weight, _, _ = given
    each, pieces = reduction == "none", -(-x.size // PIECE)
    losses, total = empty_wide(x, *x.shape) if each else None, None if each else empty_wide(x)
    inverse, sums = empty_wide(x, 1), empty_wide(x, pieces, 2)
    stride = 2 if class_weight is not None and class_weight.ndim == 2 else 0
    integers = target is not None and target.dtype == INT64
    about = x, *given, x.size, x.shape[1] if x.ndim == 2 else 1, integers, stride
    kernel(x, pieces, losses, sums, *about)
    LOSS_TOTAL(x, 1, total, inverse, sums, pieces, reduction == "mean")
    return (losses if total is None else total), (inverse, about)


def elementwise_backward(
    kernel: Kernel, constants: dict[str, int], saved: tuple[Any, ...], grad: Array, into: Into
) -> Any:
    constant(kernel.name.removesuffix("_backward"), into, **constants)
    inverse, about = saved
    x = about[0]
    grad = plain(grad, inverse)

    def write(out: Array, adds: bool) -> None:
        kernel(x, blocks_of(x.size), out, grad, inverse, grad.ndim > 0, adds, *about)

    return (deliver(into[0], x, write), *[None] * (len(into) - 1))


def kernels_of(operation: Fusable, **constants: int) -> tuple[Any, Any]:
    """See `../losses.py`."""
    forward, slope = (Kernel("losses", f"{operation.name}{part}") for part in ("", "_backward"))
    return functools.partial(elementwise_forward, forward), functools.partial(elementwise_backward, slope, constants)


register("cuda", elementwise_refusal, kernels_of, functools.partial(loaded, "losses"))
