"""Registers the compiled CPU kernels with the operations that they override: imported with the first NumPy array.

Each `..._refusal` says why a kernel cannot take its arguments; forwards take raw arrays, and backwards write each
gradient into its `Destination`. The contract of an operation stands in the docstring of its reference, in
`twingrad.functional`. Losses, activations, mini-batches and updates of optimizers have files of their own, imported
here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.kernels.cpu import (
    Kernel,
    activations,
    arithmetic,
    available,
    blas,
    gather,
    losses,
    reductions,
    tails,
    unavailable,
    updates,
)
from twingrad.kernels.cpu.arguments import (
    FEW,
    FLOATS,
    deliver,
    first_added,
    plain,
    read_only,
    refusal,
    rooms,
    shape_refusal,
    split,
)
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array

__all__ = ["activations", "arithmetic", "gather", "losses", "reductions", "unavailable", "updates"]

Into = tuple[Destination | None, ...]

GEMM = Kernel("gemm", 5, f"7qd{tails.LAYOUT}")
COLUMN_SUMS = Kernel("column_sums", 3, "4q")
RELU, RELU_BACKWARD = Kernel("relu", 2, "q"), Kernel("relu_backward", 3, "q")
DROPOUT = Kernel("dropout", 3, f"q{tails.MASK_LAYOUT}")
BATCH_NORM, BATCH_NORM_EVAL = (Kernel(f"batch_norm_{mode}", 11, f"3qdd{tails.LAYOUT}") for mode in ("train", "eval"))
BATCH_NORM_BACKWARD = Kernel("batch_norm_backward", 12, "6qd")
TAIL_BACKWARD = Kernel("tail_backward", 5, f"4q{tails.BACKWARD_LAYOUT}")


# --- linear ---------------------------------------------------------------------------------------------------------


def linear_refusal(
    x: Array, weight: Array, bias: Array | None = None, *, tail: F.Tail | None = None, copy: Array | None = None
) -> str | None:
    reason = blas() or tails.refusal(tail)
    if reason is not None or bias is None:
        return reason or refusal(x=x, weight=weight)
    return refusal(x=x, weight=weight, bias=bias) or shape_refusal(weight.shape[:1], bias=bias)


def product(
    out: Array,
    a: Array,
    b: Array,
    *,
    ta: bool = False,
    tb: bool = False,
    bias: Any = None,
    beta: float = 0,
    tail: tails.Packed = tails.NONE,
) -> None:
    """out = op(a) op(b) + beta out, then + bias and the tail: op transposes where `ta` or `tb`."""
    m, n = out.shape
    k = a.shape[0 if ta else 1]
    widths = max(a.shape[1], 1), max(b.shape[1], 1)
    GEMM((out, a, b, bias, tail.cell), m, n, k, *widths, ta, tb, beta, *tail.numbers)


def product_into(into: Destination, like: Array, a: Array, b: Array, *, ta: bool = False) -> Array:
    """The product in the destination, through gemm's own beta where it accumulates."""
    out = empty(like.shape, like.dtype) if into.array is None else into.array
    product(out, a, b, ta=ta, beta=float(into.accumulate))
    return out


def bias_into(into: Destination, bias: Array) -> tuple[Array, bool]:
    """Where the gradient of the bias goes, and whether it is added there."""
    return (np.empty(bias.shape, bias.dtype) if into.array is None else into.array), into.accumulate


def tail_backward(tail: F.Tail, grad: Array, out: Array, sums: Array | None, adds: bool) -> Array:
    """The gradient before the tail; and where `sums` are given, its sums down the columns."""
    dy, (partial, *sizes) = empty(grad.shape, grad.dtype), split(grad, 1)
    TAIL_BACKWARD((dy, sums, grad, out, partial), *sizes, adds, *tails.backward_numbers(tail))
    return dy


def linear_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, bias, out, tail = saved
    grad = plain(grad, x)
    wanted = into[2] if len(into) > 2 else None
    dbias, adds = (None, False) if wanted is None else bias_into(wanted, bias)
    if tail is not None:
        grad = tail_backward(tail, grad, out, dbias, adds)
    elif dbias is not None:
        partial, *sizes = split(grad, 1)
        COLUMN_SUMS((dbias, grad, partial), *sizes, adds)
    dx = product_into(into[0], x, grad, weight) if into[0] else None
    dweight = product_into(into[1], weight, grad, x, ta=True) if into[1] else None
    return (dx, dweight, dbias)[: len(into)]


@F.linear.kernel("cpu", accepts=linear_refusal, backward=linear_backward)
def linear(
    x: Array, weight: Array, bias: Array | None = None, *, tail: F.Tail | None = None, copy: Array | None = None
) -> Any:
    out = empty((x.shape[0], weight.shape[0]), x.dtype)
    product(out, x, weight, tb=True, bias=bias, tail=tails.packed(tail))
    return out, (x, weight, bias, out, tail)


# --- relu and dropout ------------------------------------------------------------------------------------------------


def relu_backward(x: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
    grad = plain(grad, x)
    return (into[0] and deliver(into[0], x, lambda out: RELU_BACKWARD((out, x, grad), x.size)),)


@F.relu.kernel("cpu", accepts=lambda x: refusal(x=x), backward=relu_backward)
def relu(x: Array) -> Any:
    out = empty(x.shape, x.dtype)
    RELU((out, x), x.size)
    return out, x


ZEROS = {dtype: np.zeros((), dtype) for dtype in FLOATS}


def relu_of_few(x: Array) -> Any:
    """NumPy's maximum leaves either zero; added to +0, both become +0, as of the kernel."""
    zero = ZEROS.get(x.dtype) if x.ndim and x.size <= FEW else None
    if zero is None:
        return None
    out = np.maximum(x, zero)
    out += zero
    return out, x


if available():  # its gradient is a kernel's
    F.relu.few(relu_of_few)


def mask(out: Array, x: Array, cell: Array, numbers: tuple[float, ...]) -> None:
    DROPOUT((out, x, cell), x.size, *numbers)


def dropout_backward(saved: tuple[Array, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, cell, numbers = saved
    grad = plain(grad, x)
    return (into[0] and deliver(into[0], x, lambda out: mask(out, grad, cell, numbers)),)


@F.dropout.kernel("cpu", accepts=lambda x, **_: refusal(x=x), backward=dropout_backward)
def dropout(x: Array, *, p: float, seed: int, stream: int, step: int) -> Any:
    cell, numbers = tails.packed_mask(F.Mask(p, seed, stream, step))
    out = empty(x.shape, x.dtype)
    mask(out, x, cell, numbers)
    return out, (x, cell, numbers)


# --- batch norm ------------------------------------------------------------------------------------------------------


def batch_norm_refusal(
    x: Array,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    tail: F.Tail | None = None,
    **_: float,
) -> str | None:
    vectors = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    reason = tails.refusal(tail) or refusal(x=x, **vectors) or shape_refusal(x.shape[1:], **vectors)
    if reason is None and training:
        reason = read_only(running_mean=running_mean, running_var=running_var)
    return reason


def batch_norm_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, statistics, training, result, tail = saved
    out, adds = rooms(into, x, weight, weight)
    grad, scale = plain(grad, x), 1.0
    if tail is not None and tail.activation == "relu":
        scale = tails.backward_numbers(tail)[2]
    elif tail is not None:
        grad, result = tail_backward(tail, grad, result, None, False), None
    means, (partial, *sizes) = np.empty((2, x.shape[1]), x.dtype), split(x, 2)
    arrays = (*out, grad, result if tail else None, x, weight, *statistics, means, partial)
    numbers = (*sizes, training, adds[1], adds[2], scale)
    BATCH_NORM_BACKWARD.launch(x.dtype, arrays, *numbers)
    return (*first_added(into, out), None, None)


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
    tail: F.Tail | None = None,
) -> Any:
    out, after = empty(x.shape, x.dtype), tails.packed(tail)
    statistics = tuple(np.empty((3, x.shape[1]), x.dtype))  # shift, delta and inv_std: see batch_norm.h
    partial, *sizes = split(x, 1)
    arrays = (out, *statistics, x, weight, bias, running_mean, running_var, after.cell, partial)
    (BATCH_NORM if training else BATCH_NORM_EVAL)(arrays, *sizes, momentum, eps, *after.numbers)
    return out, (x, weight, statistics, training, out, tail)
