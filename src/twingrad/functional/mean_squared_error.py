"""The squared error."""

from __future__ import annotations

from functools import partial

from twingrad.functional.elementwise_loss import check_shapes, difference, total
from twingrad.fusable import fusable
from twingrad.namespace import Array


@fusable(validate=partial(check_shapes, "mean squared error"), widens=True)
def mean_squared_error(
    x: Array,
    target: Array,
    example_weight: Array | None = None,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """(x - t)^2.

    x: predictions (N,) or (N, T), floating. target: the same shape; (N,) also beside (N, 1).
    example_weight: (N,), of x's dtype.
    mask: booleans of the same shape, False where there is no target: neither loss nor gradient there.
    reduction: "none", "sum", or "mean": the sum over the sum of the weights of all targets there are, so over N T
    without weights. The gradient is 2 (x - t).
    Raises ValueError for shapes that differ (they are not broadcast) and weights out of range, TypeError for dtypes.

    >>> import numpy as np
    >>> print(mean_squared_error(np.asarray([1.0, 2.0]), np.asarray([0.0, 4.0])))
    2.5
    """
    gap, present = difference(x, target, mask)
    return total(gap * gap, None, example_weight, present, reduction)
