"""The logistic function."""

from __future__ import annotations

from twingrad.functional.reduction import plain
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of


@fusable(floating=True)
def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), elementwise, without overflow; the derivative is sigma (1 - sigma).

    x: any shape, floating. Returns an array of that shape and dtype. NaN stays NaN. Negative x are taken as
    e^x / (1 + e^x), so that small results keep their digits.

    >>> import numpy as np
    >>> sigmoid(np.asarray([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    xp = namespace_of(x)
    positive = plain(x) >= 0
    e = xp.exp(xp.where(positive, -x, x))
    return xp.where(positive, 1 / (1 + e), e / (1 + e))
