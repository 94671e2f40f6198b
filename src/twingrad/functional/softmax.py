"""The softmax."""

from __future__ import annotations

from twingrad.functional.checks import integer
from twingrad.functional.reduction import plain
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of


def check(x: Array, *, axis: int = -1) -> None:
    """Raise ValueError unless x has that axis, TypeError where it is no integer."""
    integer("softmax: axis", axis)
    if not -len(x.shape) <= axis < len(x.shape):
        raise ValueError(f"softmax over axis {axis} takes an array that has it, got shape {x.shape}")


@fusable(validate=check, floating=True)
def softmax(x: Array, *, axis: int = -1) -> Array:
    """e^x_k / sum_j e^x_j along an axis; the largest is subtracted first, so that nothing overflows.

    x: one axis or more, floating. Returns probabilities of that shape and dtype. The Jacobian is diag(a) - a a^T.
    To train a classifier, give its logits to `softmax_cross_entropy`, which keeps the digits that a logarithm of these
    probabilities loses. Raises ValueError for an axis that x does not have.

    >>> import numpy as np
    >>> softmax(np.asarray([5.0, 2.0, -1.0, 3.0])).round(8)
    array([0.84203357, 0.04192238, 0.00208719, 0.11395685])
    """
    xp, raw = namespace_of(x), plain(x)
    if not raw.shape[axis]:
        return x
    e = xp.exp(x - namespace_of(raw).max(raw, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)
