"""Registers the CUDA kernels of batch and layer normalisation; see `overrides.py`."""

from __future__ import annotations

from typing import Any

from twingrad import functional as F
from twingrad.kernels.cuda import tails
from twingrad.kernels.cuda.activations import blocks_of_rows, rows_of
from twingrad.kernels.cuda.arguments import (
    Into,
    Kernel,
    blocks_of,
    deliver,
    empty,
    empty_wide,
    loaded,
    place,
    plain,
    shape_refusal,
    stored_refusal,
)
from twingrad.kernels.cuda.columns import split
from twingrad.namespace import Array

MOMENTS, TRAIN, EVAL, NORMALISE, SLOPES, PARAMETERS, DX = (
    Kernel("batch_norm", f"batch_norm_{name}")
    for name in ("moments", "train", "eval", "normalise", "slopes", "parameters", "dx")
)
LAYER_NORM, LAYER_DX, LAYER_SLOPES, LAYER_PARAMETERS = (
    Kernel("layer_norm", f"layer_norm{name}") for name in ("", "_dx", "_slopes", "_parameters")
)


# --- batch norm ------------------------------------------------------------------------------------------------------


def batch_norm_refusal(
    x: Array,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    *,
    tail: F.Tail | None = None,
    **_: float,
) -> str | None:
    vectors = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    return tails.refusal(tail) or stored_refusal(x, **vectors) or shape_refusal(x.shape[1:], **vectors)


def trained(x: Array, statistics: tuple[Array, ...], running: tuple[Array, Array], momentum: float, eps: float) -> None:
    """Fill shift, delta and inv_std from the batch, and move the running mean and variance."""
    (rows, columns), shape = x.shape, split(x)
    partial = empty_wide(x, shape.chunks, columns, 3)
    MOMENTS(x, shape.blocks, partial, x, rows, columns, shape.lanes, shape.chunk)
    numbers = momentum, 1 - momentum, rows / (rows - 1), eps
    TRAIN(x, blocks_of(columns), *statistics, *running, partial, x, shape.chunks, rows, columns, *map(float, numbers))


def batch_norm_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, statistics, training, out, tail = saved
    grad, (rows, columns), shape = plain(grad, x), x.shape, split(x)
    slopes = grad, out, x, *statistics, *tails.slopes(tail)
    (dweight, adds_weight), (dbias, adds_bias) = place(into[1], weight), place(into[2], weight)
    partial, means = empty_wide(x, shape.chunks, columns, 2), empty_wide(x, 2, columns)
    SLOPES(x, shape.blocks, partial, *slopes, rows, columns, shape.lanes, shape.chunk)
    adds = adds_weight, adds_bias
    PARAMETERS(x, blocks_of(columns), dweight, dbias, means, partial, shape.chunks, rows, columns, *adds)
    means = means if training else None

    def write(dx: Array, adds: bool) -> None:
        DX(x, blocks_of(x.size), dx, weight, means, *slopes, x.size, columns, adds)

    return deliver(into[0], x, write), dweight, dbias, None, None


@F.batch_norm.kernel("cuda", accepts=loaded("batch_norm", batch_norm_refusal), backward=batch_norm_backward)
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
    out, columns = empty(x, *x.shape), x.shape[1]
    statistics = tuple(empty_wide(x, columns) for _ in range(3))  # shift, delta and inv_std: see batch_norm.h
    if training:
        trained(x, statistics, (running_mean, running_var), momentum, eps)
    else:
        EVAL(x, blocks_of(columns), *statistics, running_mean, running_var, columns, float(eps))
    after = tails.numbers(tail, x)
    NORMALISE(x, blocks_of(x.size), out, x, *statistics, weight, bias, x.size, columns, *after)
    return out, (x, weight, statistics, training, out, tail)


# --- layer norm ------------------------------------------------------------------------------------------------------


def layer_norm_refusal(x: Array, weight: Array, bias: Array, *, eps: float = 1e-5) -> str | None:
    shapes = shape_refusal(x.shape[-1:], weight=weight, bias=bias)
    return stored_refusal(x, weight=weight, bias=bias) or shapes or (None if x.shape[-1] else "rows are empty")


def layer_norm_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, *statistics = saved
    grad, (rows, columns) = plain(grad, x), rows_of(x)

    def write(dx: Array, adds: bool) -> None:
        LAYER_DX(x, blocks_of_rows(rows, columns), dx, grad, x, weight, *statistics, rows, columns, adds)

    dx = deliver(into[0], x, write)
    (dweight, adds_weight), (dbias, adds_bias) = place(into[1], weight), place(into[2], weight)
    if dweight is not None or dbias is not None:
        shape = split(x.reshape(rows, columns))
        partial = empty_wide(x, shape.chunks, columns, 2)
        LAYER_SLOPES(x, shape.blocks, partial, grad, x, *statistics, rows, columns, shape.lanes, shape.chunk)
        adds = adds_weight, adds_bias
        LAYER_PARAMETERS(x, blocks_of(columns), dweight, dbias, partial, shape.chunks, columns, *adds)
    return dx, dweight, dbias


@F.layer_norm.kernel("cuda", accepts=loaded("layer_norm", layer_norm_refusal), backward=layer_norm_backward)
def layer_norm(x: Array, weight: Array, bias: Array, *, eps: float = 1e-5) -> Any:
    out, (rows, columns) = empty(x, *x.shape), rows_of(x)
    statistics = empty_wide(x, rows), empty_wide(x, rows)
    arrays = out, *statistics, x, weight, bias
    LAYER_NORM(x, blocks_of_rows(rows, columns), *arrays, rows, columns, float(eps))
    return out, (x, weight, *statistics)
