"""Registers the kernels of activations, layer normalisation and embeddings; see `overrides.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.fusable import Fusable
from twingrad.kernels.cpu import Kernel
from twingrad.kernels.cpu.arguments import (
    FEW,
    deliver,
    first_added,
    plain,
    refusal,
    rooms,
    shape_refusal,
    split,
    table_refusal,
)
from twingrad.kernels.cpu.memory import empty
from twingrad.namespace import Array

Into = tuple[Destination | None, ...]
INT64 = np.dtype(np.int64)

LEAKY, LEAKY_BACKWARD = Kernel("leaky_relu", 3, "qd"), Kernel("leaky_relu_backward", 3, "qd")
SOFTMAX, SOFTMAX_SLOPE = Kernel("softmax", 3, "qq"), Kernel("softmax_slope", 3, "qq")
LAYER_NORM, LAYER_NORM_BACKWARD = Kernel("layer_norm", 6, "qqd"), Kernel("layer_norm_backward", 9, "5q")
EMBEDDING, EMBEDDING_BACKWARD = Kernel("embedding", 3, "4q"), Kernel("embedding_backward", 3, "4q")


# --- elementwise -----------------------------------------------------------------------------------------------------


def leaky_relu_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, slope = saved
    grad = plain(grad, x)
    return (into[0] and deliver(into[0], x, lambda out: LEAKY_BACKWARD((out, x, grad), x.size, slope)),)


@F.leaky_relu.kernel("cpu", accepts=lambda x, **_: refusal(x=x), backward=leaky_relu_backward)
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Any:
    out = empty(x.shape, x.dtype)
    LEAKY((out, x, None), x.size, negative_slope)
    return out, (x, negative_slope)


def register_by_result(operation: Fusable) -> None:
    """The kernels of an elementwise function whose slope follows from its result."""
    forward, slope = Kernel(operation.name, 2, "q"), Kernel(f"{operation.name}_backward", 3, "q")

    def backward(result: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
        grad = plain(grad, result)
        return (into[0] and deliver(into[0], result, lambda out: slope((out, result, grad), result.size)),)

    def compute(x: Array) -> Any:
        out = empty(x.shape, x.dtype)
        forward((out, x), x.size)
        return out, out

    def of_few(x: Array) -> Any:
        """The same launch, without asking more than once what x is."""
        function = forward.addresses.get(x.dtype) if x.size <= FEW else None
        if function is None or not (x.flags.c_contiguous and x.flags.aligned):
            return None
        out = np.empty(x.shape, x.dtype)
        forward.run(function, forward.pack_objects(2, 3, id(out), id(x), x.size))
        return out, out

    operation.kernel("cpu", accepts=lambda x: refusal(x=x), backward=backward)(compute)
    operation.few(of_few)


register_by_result(F.sigmoid)
register_by_result(F.tanh)


# --- along rows ------------------------------------------------------------------------------------------------------


def rows_of(x: Array) -> tuple[int, int]:
    """The rows of `x` along its last axis, and their length."""
    return math.prod(x.shape[:-1]), x.shape[-1]


def softmax_refusal(x: Array, *, axis: int = -1) -> str | None:
    if axis % x.ndim != x.ndim - 1:
        return f"axis {axis} is not the last of {x.ndim}"
    return refusal(x=x) if x.shape[-1] else "rows are empty"


def softmax_backward(result: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
    grad = plain(grad, result)
    return (into[0] and deliver(into[0], result, lambda out: SOFTMAX_SLOPE((out, grad, result), *rows_of(result))),)


@F.softmax.kernel("cpu", accepts=softmax_refusal, backward=softmax_backward)
def softmax(x: Array, *, axis: int = -1) -> Any:
    out, largest = empty(x.shape, x.dtype), np.empty(rows_of(x)[0], x.dtype)
    SOFTMAX((out, largest, x), *rows_of(x))
    return out, out


def layer_norm_refusal(x: Array, weight: Array, bias: Array, *, eps: float = 1e-5) -> str | None:
    shapes = shape_refusal(x.shape[-1:], weight=weight, bias=bias)
    return refusal(x=x, weight=weight, bias=bias) or shapes or (None if x.shape[-1] else "rows are empty")


def layer_norm_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, *statistics = saved
    out, adds = rooms(into, x, weight, weight)
    partial, *sizes = split(x.reshape(rows_of(x)), 2)
    arrays = (*out, plain(grad, x), x, weight, *statistics, partial)
    LAYER_NORM_BACKWARD.launch(x.dtype, arrays, *sizes, adds[1], adds[2])
    return tuple(first_added(into, out))


@F.layer_norm.kernel("cpu", accepts=layer_norm_refusal, backward=layer_norm_backward)
def layer_norm(x: Array, weight: Array, bias: Array, *, eps: float = 1e-5) -> Any:
    out, statistics = empty(x.shape, x.dtype), np.empty((2, rows_of(x)[0]), x.dtype)
    LAYER_NORM((out, *statistics, x, weight, bias), *rows_of(x), eps)
    return out, (x, weight, *statistics)


# --- embedding -------------------------------------------------------------------------------------------------------


def embedding_refusal(indices: Array, weight: Array) -> str | None:
    return table_refusal("indices", indices, INT64) or refusal(weight=weight)


def embedding_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    indices, weight = saved
    destination = into[1]
    if destination is None:
        return None, None
    out = empty(weight.shape, weight.dtype) if destination.array is None else destination.array
    EMBEDDING_BACKWARD((out, indices, plain(grad, weight)), indices.size, *weight.shape, destination.accumulate)
    return None, out


@F.embedding.kernel("cpu", accepts=embedding_refusal, backward=embedding_backward)
def embedding(indices: Array, weight: Array) -> Any:
    out = empty((*indices.shape, weight.shape[1]), weight.dtype)
    EMBEDDING((out, indices, weight), indices.size, *weight.shape, False)
    return out, (indices, weight)
