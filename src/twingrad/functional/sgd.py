"""Gradient descent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twingrad.functional.segments import check_segments, segments_of_one
from twingrad.fusable import fusable
from twingrad.namespace import Array

COLUMNS = ("lr", "l2")
"""The scalars that a segment's update needs: one row of `control`."""


def check(theta: Array, grad: Array, segments: Array, control: Array) -> None:
    """Raise unless the arrays agree and the tables fit them."""
    check_segments("sgd", {"param": theta, "grad": grad}, segments, control, len(COLUMNS))


@fusable(validate=check)
def sgd_segments(theta: Array, grad: Array, segments: Array, control: Array) -> None:
    """One step of gradient descent on segments of flat arrays, in place on theta.

    theta, grad: (P,) of one floating dtype T. segments: (S, 2) int64, offset and length of each; those of length 0 are
    skipped. control: (S, 2) float64, lr and l2 of each.

        g = g + l2 p          if l2 != 0
        p = p - lr g

    Every operation is rounded to T, none contracted. Kernels give the same bits.
    """
    for (offset, length), (lr, l2) in zip(segments.tolist(), control.tolist(), strict=True):
        if length:
            p, g = theta[offset : offset + length], grad[offset : offset + length]
            if l2 != 0.0:
                g = g + l2 * p
            p[...] = p - lr * g


def sgd_update(param: Array, grad: Array, *, lr: float, weight_decay: float = 0.0) -> None:
    """One step of gradient descent, in place: p - lr (g + weight_decay p).

    param, grad: any one shape and floating dtype. weight_decay: L2, the course's lambda/m.
    Raises ValueError for shapes or dtypes that differ, or a read-only param.

    >>> import numpy as np
    >>> w = np.asarray([2.0])
    >>> sgd_update(w, np.asarray([0.3]), lr=0.1, weight_decay=0.05)
    >>> w
    array([1.96])
    """
    flat, segments = segments_of_one("sgd", {"param": param, "grad": grad}, {"grad"})
    control: NDArray[np.float64] = np.asarray([(lr, weight_decay)])
    sgd_segments(*flat, segments, control)
