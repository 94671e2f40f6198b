"""Registers the CUDA kernels that convert between float32 and bfloat16; see `overrides.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.kernels.cuda import launching
from twingrad.kernels.cuda.arguments import Into, blocks_of, deliver, empty, loaded, plain, stored_refusal
from twingrad.namespace import Array, is_bfloat16

FLOAT32 = np.dtype(np.float32)


def convert(out: Array, x: Array, adds: bool) -> None:
    """Write x, float32 or bfloat16, to out, the other of the two; added to it where `adds`."""
    kernel = "narrow_bfloat16" if is_bfloat16(out.dtype) else "widen_float32"
    launching.launch_blocks("convert", kernel, blocks_of(x.size), x, out, x, np.int64(x.size), np.int64(adds))


def converted(x: Array, dtype: Any) -> Array:
    """x in the other of the two dtypes."""
    out = empty(x, *x.shape, dtype=dtype)
    convert(out, x, False)
    return out


def convert_backward(x: Array, grad: Array, into: Into) -> tuple[Array | None, ...]:
    grad = plain(grad, grad)
    return (deliver(into[0], x, lambda out, adds: convert(out, grad, adds)),)


@F.narrow.kernel("cuda", accepts=loaded("convert", stored_refusal), backward=convert_backward)
def narrow(x: Array) -> Any:
    from twingrad.precision import bfloat16

    return converted(x, bfloat16()), x


@F.widen.kernel("cuda", accepts=loaded("convert", stored_refusal), backward=convert_backward)
def widen(x: Array) -> Any:
    return converted(x, FLOAT32), x
