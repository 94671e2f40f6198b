"""The rectified linear unit."""

from __future__ import annotations

from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of


@fusable()
def relu(x: Array) -> Array:
    """max(x, 0), elementwise: NaN stays NaN, -0.0 becomes +0.0, and the derivative at 0 is 0 (PyTorch's).

    x: any shape. Returns an array of that shape and dtype.

    >>> import numpy as np
    >>> relu(np.asarray([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    # `not (x <= 0)` keeps NaN, and gives its cotangent the derivative 1 as PyTorch does.
    return namespace_of(x).where(x <= 0, 0, x)
