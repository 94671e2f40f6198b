"""Cross-entropy of the softmax of logits."""

from __future__ import annotations

from typing import Any

from twingrad.functional.one_hot import hits
from twingrad.functional.reduction import check_reduction, check_weights, plain, reduced
from twingrad.fusable import fusable
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.precision import arithmetic

TOLERANCE = 1e-3
"""How far from 1 the probabilities of a target may sum."""


def check(
    logits: Array,
    target: Array,
    class_weight: Array | None = None,
    example_weight: Array | None = None,
    *,
    reduction: str = "mean",
) -> None:
    """Raise unless logits are (N, C), targets classes (N,) or probabilities (N, C), and weights (C,) and (N,)."""
    check_reduction("softmax cross-entropy", reduction, logits.shape)
    if len(logits.shape) != 2 or target.shape not in (logits.shape[:1], logits.shape):
        raise ValueError(
            "softmax cross-entropy takes logits (N, C) and targets (N,), integer classes, or (N, C), one-hot or "
            f"probabilities; got {logits.shape} and {target.shape}"
        )
    (_check_classes if len(target.shape) == 1 else _check_probabilities)(logits, target)
    check_weights("softmax cross-entropy", "class_weight", class_weight, logits.shape[1:], logits.dtype)
    check_weights("softmax cross-entropy", "example_weight", example_weight, logits.shape[:1], logits.dtype)


def _check_classes(logits: Array, target: Array) -> None:
    xp = namespace_of(target)
    if not xp.isdtype(target.dtype, "integral"):
        raise TypeError(f"softmax cross-entropy takes integer class numbers as targets, got {target.dtype}")
    if backend_of(target) == "cpu" and target.shape[0]:
        low, high = int(xp.min(target)), int(xp.max(target))
        if low < 0 or high >= logits.shape[1]:
            raise ValueError(
                f"class numbers lie in [0, {logits.shape[1]}) for logits of {logits.shape[1]} classes, "
                f"got {low if low < 0 else high}"
            )


def _check_probabilities(logits: Array, target: Array) -> None:
    xp = namespace_of(target)
    if not xp.isdtype(target.dtype, ("bool", "integral", "real floating")):
        raise TypeError(f"softmax cross-entropy takes real numbers as probabilities, got {target.dtype}")
    if backend_of(target) != "cpu" or not target.shape[0]:
        return
    values = xp.astype(target, arithmetic(logits.dtype))
    sums = xp.sum(values, axis=1)
    if not bool(xp.all(xp.abs(sums - 1.0) <= TOLERANCE)) or float(xp.min(values)) < 0.0:
        raise ValueError(
            "softmax cross-entropy takes rows of probabilities, at least 0 and of sum 1, as targets (N, C); "
            "one row is not (a row without a label: example_weight 0)"
        )


@fusable(validate=check, widens=True, floating=True)
def softmax_cross_entropy(
    logits: Array,
    target: Array,
    class_weight: Array | None = None,
    example_weight: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """-sum_k t_k log softmax(logits)_k, from logits so that nothing overflows: the largest is subtracted first.

    logits: (N, C), floating. target: (N,), integer classes in [0, C); or (N, C), one-hot or soft: probabilities.
    class_weight: (C,), multiplies the term of each class. example_weight: (N,), multiplies the loss of each example.
    Both are of the logits' dtype, finite and at least 0.
    reduction: "none", (N,), weighted; "sum", 0-d; or "mean", the sum over the sum of the weights, 0-d. The weight of an
    example is example_weight times class_weight of its class (soft: sum_k t_k class_weight_k), so that without weights
    the mean is the batch's (the course's 1/m), and one-hot targets give what their classes give. A mean over weights
    that are all 0 is 0, and so is its gradient (PyTorch's is NaN).
    The gradient with respect to the logits is softmax - target, over N for the mean: the course's dZ = a - y.

    Raises ValueError for shapes, weights, probabilities or classes out of range, TypeError for dtypes; where labels are
    not looked at (other arrays than NumPy's, replays of a captured step), a class out of range makes the loss NaN.
    Departs from PyTorch in one point: for soft targets with class weights PyTorch's mean divides by N.

    >>> import numpy as np
    >>> logits = np.asarray([[5.0, 2.0, -1.0, 3.0]])
    >>> print(round(float(softmax_cross_entropy(logits, np.asarray([1]))), 7))
    3.1719354
    >>> print(round(float(softmax_cross_entropy(logits, np.asarray([[0.5, 0.5, 0.0, 0.0]]))), 7))
    1.6719354
    """
    xp = namespace_of(logits, target, class_weight, example_weight)
    raw: Any = plain(logits)
    library = namespace_of(raw)
    shifted = logits - library.max(raw, axis=1, keepdims=True)
    log_sum = xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))
    soft = len(target.shape) == 2
    terms = xp.astype(target, logits.dtype) if soft else library.astype(hits(plain(target), raw.shape[1]), raw.dtype)
    absent = plain(terms) == 0
    terms = terms if class_weight is None else terms * class_weight
    losses = xp.sum(xp.where(absent, 0, log_sum - shifted) * terms, axis=1)
    losses = losses if soft else xp.where(library.all(absent, axis=1), float("nan"), losses)
    weights = None if class_weight is None else xp.sum(terms, axis=1)
    if example_weight is not None:
        losses = losses * example_weight
        weights = example_weight if weights is None else weights * example_weight
    return reduced(losses, weights, reduction)
