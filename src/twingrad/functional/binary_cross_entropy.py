"""Cross-entropy of the sigmoid of logits: two classes, or several labels at once."""

from __future__ import annotations

from twingrad.functional.elementwise_loss import check_shapes, labels, total
from twingrad.functional.reduction import check_weights, plain
from twingrad.fusable import fusable
from twingrad.namespace import Array, backend_of, namespace_of

NAME = "binary cross-entropy"


def check(
    logits: Array,
    target: Array,
    class_weight: Array | None = None,
    example_weight: Array | None = None,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
) -> None:
    """Raise unless the shapes fit and targets, where they are NumPy's, are in [0, 1] or missing."""
    check_shapes(NAME, logits, target, example_weight, mask, reduction=reduction)
    if class_weight is not None:
        shapes = [(2,), (*logits.shape[1:], 2)]
        shape = shapes[1] if getattr(class_weight, "shape", None) == shapes[1] else shapes[0]
        check_weights(NAME, "class_weight", class_weight, shape, logits.dtype)
    if backend_of(target) != "cpu" or namespace_of(target).isdtype(target.dtype, "bool"):
        return
    xp = namespace_of(target)
    wrong = (target < 0) | (target > 1)
    if mask is not None:
        wrong = wrong & mask
    if bool(xp.any(wrong)):
        raise ValueError(f"{NAME} takes targets 0, 1 or probabilities between, NaN where there is none; one is outside")


@fusable(validate=check, widens=True)
def binary_cross_entropy(
    logits: Array,
    target: Array,
    class_weight: Array | None = None,
    example_weight: Array | None = None,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """-t log sigmoid(z) - (1 - t) log(1 - sigmoid(z)), from logits: finite for every finite z.

    logits: (N,), or (N, K) for K labels each, floating. target: the same shape, (N,) also beside (N, 1): 0 or 1 of
    any real dtype, or probabilities. A label is missing where the target is NaN, or where `mask`, booleans of the
    target's shape, is False: it adds neither loss nor gradient.
    class_weight: (2,), the weights of classes 0 and 1, or (K, 2) for each label its own; a weight w of class 1 beside
    1 of class 0 is PyTorch's pos_weight. example_weight: (N,). Both of the logits' dtype, finite and at least 0.
    reduction: "none", the logits' shape, weighted, 0 where missing; "sum", 0-d; or "mean", 0-d: the sum over the sum of
    the weights of the labels there are. Without weights that is the number of labels present, not of examples: for a
    mean over examples divide the "sum" by N. A mean of no label is 0. PyTorch's mean divides by all N K.
    The gradient with respect to the logits is sigmoid(z) - t.

    Raises ValueError for shapes, weights and targets out of range, TypeError for dtypes; only NumPy's targets
    are looked at.

    Logits of 0, with five labels present and three missing, as in the course's multi-task example:

    >>> import numpy as np
    >>> y = np.asarray([[1, 0, np.nan, 1], [np.nan, 1, 0, np.nan]])
    >>> print(binary_cross_entropy(np.zeros((2, 4)), y, reduction="sum").round(6))
    3.465736
    >>> print(binary_cross_entropy(np.zeros((2, 4)), y).round(6))
    0.693147
    """
    xp = namespace_of(logits, target, class_weight, example_weight)
    missing = _missing(plain(target))
    target, present = labels(logits, target, mask if missing is None else _both(mask, ~missing))
    if present is not None:
        logits, target = xp.where(present, logits, 0), xp.where(present, target, 0)
    small = xp.log1p(xp.exp(xp.where(plain(logits) > 0, -logits, logits)))  # log(1 + e^-|z|), differentiable at 0
    ones, zeros = small + xp.where(plain(logits) > 0, 0, -logits), small + xp.where(plain(logits) > 0, logits, 0)
    if class_weight is None:
        return total(target * ones + (1 - target) * zeros, None, example_weight, present, reduction)
    of_ones, of_zeros = class_weight[..., 1] * target, class_weight[..., 0] * (1 - target)
    return total(of_ones * ones + of_zeros * zeros, of_ones + of_zeros, example_weight, present, reduction)


def _missing(target: Array) -> Array | None:
    xp = namespace_of(target)
    return xp.isnan(target) if xp.isdtype(target.dtype, "real floating") else None


def _both(mask: Array | None, there: Array) -> Array:
    return there if mask is None else plain(mask) & there
