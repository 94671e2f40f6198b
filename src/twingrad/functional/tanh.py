"""The hyperbolic tangent."""

from __future__ import annotations

from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of


@fusable(floating=True)
def tanh(x: Array) -> Array:
    """(e^x - e^-x) / (e^x + e^-x) = 2 sigma(2x) - 1, elementwise; the derivative is 1 - tanh^2.

    x: any shape, floating. Returns an array of that shape and dtype. NaN stays NaN.

    >>> import numpy as np
    >>> tanh(np.asarray([0.0, 0.7])).round(8)
    array([0.        , 0.60436778])
    """
    return namespace_of(x).tanh(x)
