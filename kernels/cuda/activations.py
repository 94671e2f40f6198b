"""Registers the CUDA kernels of activations, of the softmax and of embeddings; see `overrides.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.fusable import Fusable
from twingrad.kernels.cuda import launching
from twingrad.kernels.cuda.arguments import (
    Into,
    Kernel,
    blocks_of,
    clear,
    deliver,
    empty,
    loaded,
    plain,
    stored_refusal,
    table_refusal,
)
from twingrad.namespace import Array

WIDE = 1024
"""Elements of the longest row that a warp takes, eight to a block; a longer one is a block's: WIDE of team.cuh."""
ROWS_OF_BLOCK = 8


def rows_of(x: Array) -> tuple[int, int]:
    """The rows of `x` along its last axis, and their length."""
    return math.prod(x.shape[:-1]), x.shape[-1]


def blocks_of_rows(rows: int, columns: int) -> int:
    """The blocks that the rows are work for."""
    return rows if columns > WIDE else -(-rows // ROWS_OF_BLOCK)


# --- elementwise -----------------------------------------------------------------------------------------------------

LEAKY, LEAKY_BACKWARD = Kernel("activations", "leaky_relu"), Kernel("activations", "leaky_relu_backward")


def leaky_relu_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, slope = saved
    grad = plain(grad, x)
    write = lambda out, adds: LEAKY_BACKWARD(x, blocks_of(x.size), out, x, grad, x.size, adds, slope)  # noqa: E731
    return (deliver(into[0], x, write),)


@F.leaky_relu.kernel(
    "cuda", accepts=loaded("activations", lambda x, **_: stored_refusal(x)), backward=leaky_relu_backward
)
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Any:
    out, slope = empty(x, *x.shape), float(negative_slope)
    LEAKY(x, blocks_of(x.size), out, x, x.size, slope)
    return out, (x, slope)


def register(operation: Fusable, *, by_result: bool) -> None:
    """The kernels of an elementwise function whose slope follows from its result, or from its argument."""
    forward, slope = (Kernel("activations", f"{operation.name}{part}") for part in ("", "_backward"))

    def backward(known: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
        grad, size = plain(grad, known), known.size
        return (deliver(into[0], known, lambda out, adds: slope(known, blocks_of(size), out, known, grad, size, adds)),)

    def compute(x: Array) -> Any:
        out = empty(x, *x.shape)
        forward(x, blocks_of(x.size), out, x, x.size)
        return out, out if by_result else x

    operation.kernel("cuda", accepts=loaded("activations", lambda x: stored_refusal(x)), backward=backward)(compute)


register(F.relu, by_result=False)
register(F.sigmoid, by_result=True)
register(F.tanh, by_result=True)


# --- softmax ---------------------------------------------------------------------------------------------------------

SOFTMAX, SOFTMAX_SLOPE = Kernel("softmax", "softmax"), Kernel("softmax", "softmax_slope")


def softmax_refusal(x: Array, *, axis: int = -1) -> str | None:
    if axis % x.ndim != x.ndim - 1:
        return f"axis {axis} is not the last of {x.ndim}"
    return stored_refusal(x) if x.shape[-1] else "rows are empty"


def softmax_backward(result: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
    grad, shape = plain(grad, result), rows_of(result)
    blocks = blocks_of_rows(*shape)
    return (deliver(into[0], result, lambda out, adds: SOFTMAX_SLOPE(result, blocks, out, grad, result, *shape, adds)),)


@F.softmax.kernel("cuda", accepts=loaded("softmax", softmax_refusal), backward=softmax_backward)
def softmax(x: Array, *, axis: int = -1) -> Any:
    out, shape = empty(x, *x.shape), rows_of(x)
    SOFTMAX(x, blocks_of_rows(*shape), out, x, *shape)
    return out, out


# --- embedding -------------------------------------------------------------------------------------------------------

EMBEDDING, EMBEDDING_BACKWARD = Kernel("embedding", "embedding"), Kernel("embedding", "embedding_backward")


def embedding_refusal(indices: Array, weight: Array) -> str | None:
    return stored_refusal(weight, "weight") or table_refusal("indices", indices, np.dtype(np.int64), weight)


def order_of(keys: Array) -> Array:
    """The places of int64 keys, sorted by them, equal ones in order: by launches alone, where CuPy's sorting waits."""
    order, size = empty(keys, keys.size), np.int64(keys.size)
    launching.launch("order", "order_tiles", keys.size, keys, order, keys, size)
    run = launching.THREADS
    while run < keys.size:
        before, order = order, empty(keys, keys.size)
        launching.launch("order", "order_merged", keys.size, keys, order, before, keys, np.int64(run), size)
        run *= 2
    return order


def embedding_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    indices, weight = saved
    grad, order, (vocabulary, width) = plain(grad, weight), order_of(indices), weight.shape

    def write(out: Array, adds: bool) -> None:
        if not adds:
            clear(out)
        numbers = indices.size, vocabulary, width
        EMBEDDING_BACKWARD(weight, blocks_of_rows(indices.size, width), out, indices, order, grad, *numbers)

    return None, deliver(into[1], weight, write)


@F.embedding.kernel(
    "cuda", accepts=loaded("order", loaded("embedding", embedding_refusal)), backward=embedding_backward
)
def embedding(indices: Array, weight: Array) -> Any:
    vocabulary, width = weight.shape
    out = empty(weight, *indices.shape, width)
    EMBEDDING(weight, blocks_of_rows(indices.size, width), out, indices, weight, indices.size, vocabulary, width)
    return out, (indices, weight)
