"""Registers the CUDA path of dense layers: cuBLAS's products, and a kernel for what stands around them."""

from __future__ import annotations

from typing import Any

from twingrad import functional as F
from twingrad.autodiff.tape import Destination
from twingrad.kernels.cuda import tails
from twingrad.kernels.cuda.arguments import (
    Into,
    Kernel,
    blocks_of,
    empty,
    empty_wide,
    loaded,
    place,
    plain,
    refusal,
    shape_refusal,
    stored_refusal,
    table_refusal,
)
from twingrad.kernels.cuda.columns import split
from twingrad.kernels.cuda.products import product
from twingrad.kernels.cuda.storage import converted
from twingrad.namespace import Array, is_bfloat16
from twingrad.precision import in_force

BIAS_TAIL, SLOPE_SUMS, COLUMN_SUMS = (Kernel("linear", name) for name in ("bias_tail", "slope_sums", "column_sums"))


def linear_refusal(
    x: Array, weight: Array, bias: Array | None = None, *, tail: F.Tail | None = None, copy: Array | None = None
) -> str | None:
    kinds = refusal(x=x, weight=weight, bias=bias)
    if is_bfloat16(x.dtype):
        kinds = stored_refusal(x, weight=weight, bias=bias) or copy_refusal(copy, weight)
    return tails.refusal(tail) or kinds or shape_refusal(weight.shape[:1], bias=bias)


def copy_refusal(copy: Array | None, weight: Array) -> str | None:
    return None if copy is None else table_refusal("copy", copy, copy.dtype, weight)


def factor(x: Array, weight: Array, copy: Array | None) -> Array:
    """What the products take of the weight: its copy in bfloat16 where x is that."""
    if not is_bfloat16(x.dtype):
        return weight
    return converted(weight, x.dtype) if copy is None else copy


def product_into(
    into: Destination | None, like: Array, a: Array, b: Array, *, tf32: bool, ta: bool = False
) -> Array | None:
    """The product in its destination, added there by cuBLAS itself where that accumulates."""
    out, adds = place(into, like)
    if out is not None:
        product(out, a, b, ta=ta, adds=adds, tf32=tf32)
    return out


def before_tail(grad: Array, out: Array, dbias: Array | None, adds: bool, tail: F.Tail | None) -> Array:
    """The gradient before the tail; its sums down the columns go to `dbias` in the same pass."""
    if tail is None and dbias is None:
        return grad
    dy, shape, columns = None if tail is None else empty(grad, *grad.shape), split(grad), grad.shape[1]
    partial = empty_wide(grad, shape.chunks, columns)
    numbers = *grad.shape, shape.lanes, shape.chunk, *tails.slopes(tail)
    SLOPE_SUMS(grad, shape.blocks, partial, dy, grad, out, *numbers)
    if dbias is not None:
        COLUMN_SUMS(grad, blocks_of(columns), dbias, partial, shape.chunks, columns, adds)
    return grad if dy is None else dy


def linear_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, low, bias, out, tail, tf32 = saved
    dbias, adds = place(into[2], bias) if len(into) > 2 else (None, False)
    grad = before_tail(plain(grad, x), out, dbias, adds, tail)
    dx = product_into(into[0], x, grad, low, tf32=tf32)
    return (dx, product_into(into[1], weight, grad, x, ta=True, tf32=tf32), dbias)[: len(into)]


@F.linear.kernel("cuda", accepts=loaded("linear", linear_refusal), backward=linear_backward)
def linear(
    x: Array, weight: Array, bias: Array | None = None, *, tail: F.Tail | None = None, copy: Array | None = None
) -> Any:
    out, low, tf32 = empty(x, x.shape[0], weight.shape[0]), factor(x, weight, copy), in_force(x) == "tf32"
    product(out, x, low, tb=True, tf32=tf32)
    if bias is not None or tail is not None:
        BIAS_TAIL(x, blocks_of(out.size), out, bias, out.size, weight.shape[0], *tails.numbers(tail, x))
    return out, (x, weight, low, bias, out, tail, tf32)
