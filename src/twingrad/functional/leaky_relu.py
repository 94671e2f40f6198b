"""The leaky rectified linear unit."""

from __future__ import annotations

import math

from twingrad.functional.checks import number
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of


def check(x: Array, *, negative_slope: float = 0.01) -> None:
    """Raise ValueError unless the slope is finite."""
    if not math.isfinite(number("leaky ReLU: negative_slope", negative_slope)):
        raise ValueError(f"leaky ReLU takes a finite negative_slope, got {negative_slope}")


@fusable(validate=check, floating=True)
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    """x where x > 0, else negative_slope x, elementwise; the derivative at 0 is negative_slope (PyTorch's).

    x: any shape. Returns an array of that shape and dtype. NaN stays NaN. Kernels give the same bits.
    Raises ValueError for a slope that is not finite. Source: Maas, Hannun and Ng 2013, section 2.

    >>> import numpy as np
    >>> leaky_relu(np.asarray([-1.0, 0.0, 2.0]), negative_slope=0.1)
    array([-0.1,  0. ,  2. ])
    """
    xp = namespace_of(x)
    return x * xp.where(x > 0, xp.ones_like(x), float(negative_slope))
