"""Values that are hard to round to bfloat16, and rows of `parity_rows` with their activations stored in it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from cuda_parity import seed_of
from parity_rows import BOUNDS, OPERATIONS, ROWS

from twingrad import Tensor, fused

from numerics import largest, relative_error

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def adversarial():
    """float32 around everything that rounding can meet: ties, both sides of ties, the ends of the range, NaN."""
    uppers = np.asarray([0, 1, 0x7F, 0x80, 0x3F7F, 0x3F80, 0x3F81, 0x4049, 0x7F7E, 0x7F7F, 0x7F80, 0x7FC0])
    lowers = np.asarray([0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    bits = ((uppers[:, None] << 16) | lowers).ravel().astype(np.uint32)
    rng = np.random.default_rng(0)
    bits = np.concatenate([bits, bits | 0x80000000, rng.integers(0, 2**32, 5000, np.uint32)])
    return bits.astype(np.uint32).view(np.float32)


def assert_within_one_rounding(found, expected, slack):
    """At most one place of bfloat16 apart, and `slack`."""
    both = np.isnan(found) & np.isnan(expected)
    a, b = (np.where(both, 0, x).astype(np.float64) for x in (found, expected))
    with np.errstate(invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(a - b))
    assert (apart <= np.maximum(np.maximum(np.abs(a), np.abs(b)) * 2.0**-7, 1e-38) + slack).all()


FROM_RESULT = ("sigmoid", "tanh", "softmax")
"""Whose slopes are told from a result that was rounded."""
STORED = [row for row in ROWS if row.differentiable and row.operation != "dropout"]
FEWER = [row for i, row in enumerate(STORED) if (i % 3 == 0 and "000" not in row.label) or row.options.get("tail")]


def run(row, put, mode):
    """A row with its activations in bfloat16: the result, and the gradients, as NumPy arrays."""
    arrays = list(row.arrays("float32"))
    stored = 1 if row.operation == "embedding" else 0
    with np.errstate(all="ignore"):
        arrays[stored] = arrays[stored].astype(BFLOAT16)
    arguments = [None if a is None else put(a) for a in arrays]
    for i, a in enumerate(arrays[: row.differentiable]):
        arguments[i] = None if a is None else Tensor(arguments[i], requires_grad=a.dtype.kind != "i")
    with fused(mode), np.errstate(all="ignore"):
        out = OPERATIONS[row.operation](*arguments, **row.options)
        seed = seed_of(out.shape, "float32")
        out.backward(put(seed.astype(out.dtype)))
    tensors = [t for t in arguments[: row.differentiable] if t is not None and t.requires_grad]
    return [a.get() if hasattr(a, "get") else a for a in (out.data, *(t.grad for t in tensors))]


def assert_agrees(row, found, expected):
    """The results and gradients of a kernel, and of its definition."""
    bound = max(BOUNDS[row.operation]) * 2.0**-23
    for a, b in zip(found, expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if row.operation == "linear":  # products are rounded before bias and tail, slopes before they are multiplied
            assert relative_error(a, b) < (
                2.0**-5 if row.options.get("tail") else 2.0**-7
            )  # units near 0 turn on or off
            continue
        scale = max(1.0, largest(np.nan_to_num(b.astype(np.float64), posinf=0, neginf=0)))
        rounded = row.operation in FROM_RESULT or bool(row.options.get("tail"))
        assert_within_one_rounding(a, b, scale * (2.0**-6 if rounded else 16 * bound))
