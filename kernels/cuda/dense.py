"""Registers the CUDA path of dense layers: cuBLAS's products, and what stands around them.

With cublasLt bias and ReLU belong to the product. Its ReLU leaves a bit for each element, and the product that makes
the gradient of the next layer's input multiplies with these bits and sums the columns: the gradient before the ReLU,
and that of the bias, without a pass of their own. That product belongs to the next layer, so arrays carry notes:
MASKS from the forward pass to it, and PASSED from it to the layer whose ReLU it was. Where a note is missing, as where
a result is used twice, a kernel does the same; a mask that has been multiplied with changes nothing the second time.
In bfloat16 there is no mask: the sums that come back with it would be bfloat16, and those of the kernel are float32.
"""

from __future__ import annotations

import weakref
from typing import Any

from twingrad import functional as F
from twingrad.autodiff.tape import PASSING, Destination
from twingrad.kernels.cuda import graph, lt, tails
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
from twingrad.kernels.cuda.products import fused, product
from twingrad.kernels.cuda.storage import converted
from twingrad.namespace import Array, is_bfloat16
from twingrad.precision import in_force

BIAS_TAIL, SLOPE_SUMS, COLUMN_SUMS = (Kernel("linear", name) for name in ("bias_tail", "slope_sums", "column_sums"))
RELU = F.Tail("relu")


class Notes:
    """What is known of arrays, for as long as they live."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Any, Any]] = {}

    def put(self, array: Array, note: Any) -> None:
        key = id(array)
        self._held[key] = weakref.ref(array, lambda _: self._held.pop(key, None)), note

    def of(self, array: Array) -> Any:
        """The note, or None."""
        found = self._held.get(id(array))
        return found[1] if found is not None and found[0]() is array else None


MASKS, PASSED = Notes(), Notes()
"""Of a ReLU's result the bits; of a gradient that went through a ReLU already the sums of its columns."""


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


# --- backward --------------------------------------------------------------------------------------------------------


def linear_backward(saved: tuple[Any, ...], grad: Array, into: Into) -> tuple[Array | None, ...]:
    x, weight, low, bias, out, tail, tf32 = saved
    dbias, adds = place(into[2], bias) if len(into) > 2 else (None, False)
    grad, sums = plain(grad, x), PASSED.of(grad)
    if sums is not None and dbias is not None:
        COLUMN_SUMS(grad, blocks_of(sums.size), dbias, sums, 1, sums.size, adds)
    elif sums is None and tail is not None:
        grad = before_tail(grad, out, dbias, adds, tail)
    dx = input_gradient(into[0], x, grad, low, tf32)
    waits = sums is None and tail is None and dbias is not None
    dweight, done = weight_gradient(into[1], weight, grad, x, dbias if waits and not adds else None, tf32)
    if waits and not done:
        before_tail(grad, out, dbias, adds, None)
    return (dx, dweight, dbias)[: len(into)]


def input_gradient(into: Destination | None, x: Array, grad: Array, weight: Array, tf32: bool) -> Array | None:
    """grad W; where x is a ReLU's result that nobody else is given the gradient of, through that ReLU."""
    mask = MASKS.of(x) if into is PASSING else None
    if mask is not None and grad.size:
        dx, sums = empty(x, *x.shape), empty_wide(x, x.shape[1])
        if lt.multiply(dx, grad, weight, tf32=tf32, epilogue="DRELU_BGRAD", vector=sums, mask=mask):
            PASSED.put(dx, sums)
            return dx
    out, adds = place(into, x)
    if out is not None:
        product(out, grad, weight, adds=adds, tf32=tf32)
    return out


def weight_gradient(
    into: Destination | None, weight: Array, grad: Array, x: Array, dbias: Array | None, tf32: bool
) -> tuple[Array | None, bool]:
    """grad^T x, and whether the same product wrote the sums of grad's columns to `dbias`."""
    out, adds = place(into, weight)
    if out is None:
        return None, False
    sums = dbias is not None and grad.shape[0] > 1 and x.size and grad.size and fused()
    if sums and lt.multiply(out, grad, x, ta=True, adds=adds, tf32=tf32, epilogue="BGRADB", vector=dbias):
        return out, True
    product(out, grad, x, ta=True, adds=adds, tf32=tf32)
    return out, False


def before_tail(grad: Array, out: Array, dbias: Array | None, adds: bool, tail: F.Tail | None) -> Array:
    """The gradient before the tail; its sums down the columns go to `dbias` in the same pass."""
    dy, shape, columns = None if tail is None else empty(grad, *grad.shape), split(grad), grad.shape[1]
    partial = empty_wide(grad, shape.chunks, columns)
    numbers = *grad.shape, shape.lanes, shape.chunk, *tails.slopes(tail)
    SLOPE_SUMS(grad, shape.blocks, partial, dy, grad, out, *numbers)
    if dbias is not None:
        COLUMN_SUMS(grad, blocks_of(columns), dbias, partial, shape.chunks, columns, adds)
    return grad if dy is None else dy


# --- forward ---------------------------------------------------------------------------------------------------------


@F.linear.kernel("cuda", accepts=loaded("linear", linear_refusal), backward=linear_backward)
def linear(
    x: Array, weight: Array, bias: Array | None = None, *, tail: F.Tail | None = None, copy: Array | None = None
) -> Any:
    out, low, tf32 = empty(x, x.shape[0], weight.shape[0]), factor(x, weight, copy), in_force(x) == "tf32"
    if not _with_epilogue(out, x, low, bias, tail, tf32):
        product(out, x, low, tb=True, tf32=tf32)
        if bias is not None or tail is not None:
            _finish(out, bias, tail)
    return out, (x, weight, low, bias, out, tail, tf32)


def _finish(out: Array, bias: Array | None, tail: F.Tail | None) -> None:
    BIAS_TAIL(out, blocks_of(out.size), out, bias, out.size, out.shape[1], *tails.numbers(tail, out))


def _with_epilogue(out: Array, x: Array, weight: Array, bias: Array | None, tail: F.Tail | None, tf32: bool) -> bool:
    """Whether the product took bias and ReLU with it; another tail takes the bias with it in its own pass."""
    relu = tail is not None and tail._replace(negative_slope=RELU.negative_slope) == RELU
    if not (relu or (tail is None and bias is not None)) or not (out.size and x.size and fused()):
        return False
    mask, masked = None, relu and not is_bfloat16(out.dtype)
    if masked:
        with out.device, graph.memory():
            mask = lt.mask_of(out)
    epilogue = "_".join(["RELU"] * relu + ["AUX"] * masked + ["BIAS"] * (bias is not None))
    vector = bias if bias is None or bias.dtype == out.dtype else converted(bias, out.dtype)
    if not lt.multiply(out, x, weight, tb=True, tf32=tf32, epilogue=epilogue, vector=vector, mask=mask):
        return False
    if masked:
        MASKS.put(out, mask)
    return True
