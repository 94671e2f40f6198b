"""The affine map of a dense layer."""

from __future__ import annotations

from twingrad.functional.storage import narrow, rounded, widen
from twingrad.functional.tail import Tail, check_tail, finished
from twingrad.fusable import fusable
from twingrad.namespace import Array, is_bfloat16, namespace_of


def check(
    x: Array, weight: Array, bias: Array | None = None, *, tail: Tail | None = None, copy: Array | None = None
) -> None:
    """Raise ValueError unless the shapes of x, weight, bias and copy fit, and the tail is in range."""
    check_tail("linear", tail)
    if len(weight.shape) != 2:
        raise ValueError(f"linear takes a weight of shape (out, in), got {weight.shape}")
    if len(x.shape) != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"linear of {weight.shape[1]} features takes x of shape (N, {weight.shape[1]}), got {x.shape}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"linear of {weight.shape[0]} outputs takes a bias of shape {weight.shape[:1]}, got {bias.shape}"
        )
    if copy is not None and not (is_bfloat16(copy.dtype) and copy.shape == weight.shape):
        raise ValueError(
            f"linear takes a copy of its weight in bfloat16, of shape {weight.shape}; got {copy.dtype} {copy.shape}"
        )


@fusable(validate=check, floating=True)
def linear(
    x: Array, weight: Array, bias: Array | None = None, *, tail: Tail | None = None, copy: Array | None = None
) -> Array:
    """y = x W^T + b, and what its tail makes of it.

    x: (N, in); weight: (out, in); bias: (out,) or None. Returns (N, out). One dtype for all;
    or x in bfloat16, and so the result and the gradient of x, beside float32: products then take the weight rounded to
    bfloat16, `copy` where the caller has it; sums, bias, tail and the gradients of weight and bias are float32.
    tail: an activation and dropout in the same pass; see `Tail`.
    The course writes Z = W A + b with examples in columns; here they stand in rows.

    >>> import numpy as np
    >>> linear(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]]), np.asarray([5.0]))
    array([[16.]])
    >>> linear(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, -4.0]]), tail=Tail("relu"))
    array([[0.]])
    """
    y = namespace_of(x, weight).matmul(x, weight.T)
    return finished(y if bias is None else y + bias, tail)


@linear.in_float32
def linear_of_bfloat16(
    x: Array, weight: Array, bias: Array | None = None, *, tail: Tail | None = None, copy: Array | None = None
) -> Array:
    """As `linear` has it for x in bfloat16; the result is rounded once."""
    weight = widen(weight) if is_bfloat16(weight.dtype) else rounded(weight, copy)
    bias = widen(bias) if bias is not None and is_bfloat16(bias.dtype) else bias
    return narrow(linear(widen(x) if is_bfloat16(x.dtype) else x, weight, bias, tail=tail))
