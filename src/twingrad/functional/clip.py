"""Clipping of a gradient by its norm."""

from __future__ import annotations

import math
from typing import Any

from twingrad.functional.segments import check_range
from twingrad.functional.terms import COLUMNS
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of

FACTOR = COLUMNS.index("factor") - len(COLUMNS)
"""The column of a control that the factor is written to, from the last."""

LANES, ROWS = 64, 128


def check(grad: Array, segments: Array, control: Array, norm: Array, *, max_norm: float, unscale: float = 1.0) -> None:
    """Raise ValueError unless the shapes fit, the segments are in range and max_norm is positive."""
    if len(grad.shape) != 1 or segments.shape[1:] != (2,) or control.shape[:1] != segments.shape[:1]:
        raise ValueError(
            f"clip: grad (P,), segments (S, 2) and control (S, columns) are needed, got {grad.shape}, "
            f"{segments.shape} and {control.shape}"
        )
    if len(control.shape) != 2 or control.shape[1] < len(COLUMNS) or norm.shape != (1,):
        raise ValueError(f"clip: control of a rule and norm (1,) are needed, got {control.shape} and {norm.shape}")
    check_range("clip", segments, grad.shape[0])
    if not max_norm > 0:
        raise ValueError(f"clip: max_norm must be positive, got {max_norm}")


@fusable(validate=check)
def clip_segments(
    grad: Array, segments: Array, control: Array, norm: Array, *, max_norm: float, unscale: float = 1.0
) -> None:
    """Write the norm of the segments of a flat gradient, and the factor that clips it, into control's factor column.

    grad: (P,), floating. segments: (S, 2) int64, offset and length; those of length 0 do not count.
    control: (S, columns) float64, of any rule; norm: (1,) float64. Both are written in place; the rule that reads
    control then multiplies each gradient by

        factor = min(1, max_norm / (norm + 1e-6)) unscale      NaN where the norm is NaN

    where norm is that of the gradient times unscale, the gradient of a loss that was scaled up by 1 / unscale.
    Squares are added in float64 in one fixed order: each segment falls into leaves of 128 rows of 64 lanes; sums run
    down the rows, then over the lanes, the leaves and the segments. Kernels give the same bits, with any number of
    threads. Source: Pascanu, Mikolov and Bengio 2013, Algorithm 1; the 1e-6 and the order before weight decay are
    those of PyTorch's clip_grad_norm_.
    """
    total = 0.0
    for offset, length in segments.tolist():
        total += _square_sum(grad[offset : offset + length]) if length else 0.0
    norm[0] = length = math.sqrt(total) * unscale
    factor = max_norm / (length + 1e-6)
    control[:, FACTOR] = (1.0 if factor >= 1.0 else factor) * unscale


def _square_sum(x: Array) -> float:
    xp = namespace_of(x)
    wide = xp.astype(x, _widest(xp, x))
    missing = -x.shape[0] % (LANES * ROWS)
    padding = xp.zeros(missing, dtype=wide.dtype, device=x.device)
    leaves = xp.reshape(xp.concat([wide * wide, padding]), (-1, ROWS, LANES))
    sums = leaves[:, 0, :]
    for row in range(1, ROWS):
        sums = sums + leaves[:, row, :]
    each = sums[:, 0]
    for lane in range(1, LANES):
        each = each + sums[:, lane]
    total = 0.0
    for i in range(each.shape[0]):
        total += float(each[i])
    return total


def _widest(xp: Any, x: Array) -> Any:
    """float64, or x's own dtype where its device has none."""
    return xp.__array_namespace_info__().dtypes(device=x.device, kind="real floating").get("float64", x.dtype)
