"""Registers the compiled CPU kernels with the operations that they override: imported with the first NumPy array.

Each `..._refusal` says why a kernel cannot take its arguments; forwards take raw arrays, and backwards write each
gradient into its `Destination`. The contract of an operation stands in the docstring of its reference, in
`twingrad.functional`. Losses, activations and updates of
optimizers have files of their own, imported here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad import recording
from twingrad.autodiff.tape import Destination
from twingrad.kernels.cpu import Kernel, activations, arithmetic, blas, losses, unavailable, updates
from twingrad.kernels.cpu.arguments import ADD, deliver, plain, read_only, refusal, shape_refusal
from twingrad.namespace import Array
from twingrad.random.counter import Tick
from twingrad.random.draws import keep_threshold

__all__ = ["activations", "arithmetic", "losses", "unavailable", "updates"]

ZERO = np.zeros(1, np.int64)
"""The counter's cell of a step that is a plain integer."""

Into = tuple[Destination | None, ...]

GEMM = Kernel("gemm", 4, "8qd")
COLUMN_SUMS = Kernel("column_sums", 2, "3q")
RELU, RELU_BACKWARD = Kernel("relu", 2, "q"), Kernel("relu_backward", 3, "q")
DROPOUT = Kernel("dropout", 3, "qqQqqd")
BATCH_NORM = {True: Kernel("batch_norm_train", 9, "qqdd"), False: Kernel("batch_norm_eval", 9, "qqdd")}
BATCH_NORM_BACKWARD = Kernel("batch_norm_backward", 9, "5q")


# --- linear ---------------------------------------------------------------------------------------------------------


def linear_refusal(x: Array, weight: Array, bias: Array | None = None) -> str | None:
    if bias is None:
        return blas() or refusal(x=x, weight=weight)
    return blas() or refusal(x=x, weight=weight, bias=bias) or shape_refusal(weight.shape[:1], bias=bias)


def product(
    out: Array, a: Array, b: Array, *, ta: bool = False, tb: bool = False, bias: Any = None, beta: float = 0
) -> None:
    """out = op(a) op(b) + beta out, then + bias: op transposes where `ta` or `tb`."""
    m, n = out.shape
    k = a.shape[0 if ta else 1]
    GEMM((out, a, b, bias), m, n, k, max(a.shape[1], 1), max(b.shape[1], 1), max(n, 1), ta, tb, beta)


def product_into(into: Destination, like: Array, a: Array, b: Array, **transposes: bool) -> Array:
    """The product in the destination, through gemm's own beta where it accumulates."""
    out = np.empty(like.shape, like.dtype) if into.array is None else into.array
    product(out, a, b, beta=float(into.accumulate), **transposes)
    return out


def linear_backward(saved: tuple[Array, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, bias = saved
    grad = plain(grad, x)
    dx = product_into(into[0], x, grad, weight) if into[0] else None
    dweight = product_into(into[1], weight, grad, x, ta=True) if into[1] else None
    if len(into) < 3 or into[2] is None:
        return (dx, dweight, None)[: len(into)]
    dbias = np.empty(bias.shape, bias.dtype) if into[2].array is None else into[2].array
    COLUMN_SUMS((dbias, grad), *grad.shape, into[2].accumulate)
    return dx, dweight, dbias


@F.linear.kernel("cpu", accepts=linear_refusal, backward=linear_backward)
def linear(x: Array, weight: Array, bias: Array | None = None) -> Any:
    out = np.empty((x.shape[0], weight.shape[0]), x.dtype)
    product(out, x, weight, tb=True, bias=bias)
    return out, (x, weight, bias)


# --- relu and dropout ------------------------------------------------------------------------------------------------


def relu_backward(x: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
    grad = plain(grad, x)
    return (into[0] and deliver(into[0], x, lambda out: RELU_BACKWARD((out, x, grad), x.size)),)


@F.relu.kernel("cpu", accepts=lambda x: refusal(x=x), backward=relu_backward)
def relu(x: Array) -> Any:
    out = np.empty(x.shape, x.dtype)
    RELU((out, x), x.size)
    return out, x


def step_cell(step: int) -> tuple[Array, int]:
    """Where a kernel finds the step: in the counter's cell plus an offset while recording, else all in the offset."""
    if isinstance(step, Tick) and recording.current() is not None:
        cell = step.counter.cell
        return cell, int(step) - int(cell[0])
    return ZERO, int(step)


def mask(out: Array, x: Array, cell: Array, numbers: tuple[float, ...]) -> None:
    DROPOUT((out, x, cell), x.size, *numbers)


def dropout_backward(saved: tuple[Array, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, cell, numbers = saved
    grad = plain(grad, x)
    return (into[0] and deliver(into[0], x, lambda out: mask(out, grad, cell, numbers)),)


@F.dropout.kernel("cpu", accepts=lambda x, **_: refusal(x=x), backward=dropout_backward)
def dropout(x: Array, *, p: float, seed: int, stream: int, step: int) -> Any:
    cell, offset = step_cell(step)
    numbers = (offset, seed, stream, keep_threshold(p), 1.0 / (1.0 - p))
    out = np.empty(x.shape, x.dtype)
    mask(out, x, cell, numbers)
    return out, (x, cell, numbers)


# --- batch norm ------------------------------------------------------------------------------------------------------


def batch_norm_refusal(
    x: Array, weight: Array, bias: Array, running_mean: Array, running_var: Array, *, training: bool, **_: float
) -> str | None:
    vectors = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    reason = refusal(x=x, **vectors) or shape_refusal(x.shape[1:], **vectors)
    if reason is None and training:
        reason = read_only(running_mean=running_mean, running_var=running_var)
    return reason


def batch_norm_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, statistics, training = saved
    out: list[Array | None] = [None, None, None]
    for i, like in enumerate((x, weight, weight)):
        destination = into[i]
        if destination is not None:
            taken = destination.array is None or (i == 0 and destination.accumulate)
            out[i] = np.empty(like.shape, like.dtype) if taken else destination.array
    adds = [destination is not None and destination.accumulate for destination in into]
    arrays = (*out, plain(grad, x), x, weight, *statistics)
    BATCH_NORM_BACKWARD.launch(x.dtype, arrays, *x.shape, training, adds[1], adds[2])
    if into[0] is not None and adds[0]:
        ADD((into[0].array, into[0].array, out[0]), x.size)
        out[0] = into[0].array
    return (*out, None, None)


@F.batch_norm.kernel("cpu", accepts=batch_norm_refusal, backward=batch_norm_backward)
def batch_norm(
    x: Array,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    out = np.empty(x.shape, x.dtype)
    statistics = tuple(np.empty((3, x.shape[1]), x.dtype))  # shift, delta and inv_std: see batch_norm.h
    arrays = (out, *statistics, x, weight, bias, running_mean, running_var)
    BATCH_NORM[training](arrays, *x.shape, momentum, eps)
    return out, (x, weight, statistics, training)
