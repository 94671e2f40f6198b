"""Class numbers as rows of 0 and 1, and back: one-hot, hardmax, smoothed labels."""

from __future__ import annotations

from typing import Any

from twingrad.autodiff import Tensor
from twingrad.functional.checks import below_one, integer
from twingrad.functional.reduction import plain
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.recording import refuse_while_recording


def one_hot(labels: Array, classes: int, *, dtype: Any = None) -> Array:
    """Row i is the unit vector of class labels[i]: class k is the k-th unit vector, counted from 0.

    labels: any shape of integers in [0, classes). Returns (*labels.shape, classes) of `dtype`, by default the library's
    floating dtype. Only NumPy's labels are looked at: elsewhere one out of range gives a row of zeros.

    Raises TypeError for labels that are no integers; ValueError for one out of range, and classes below 1.

    >>> import numpy as np
    >>> one_hot(np.asarray([0, 2]), 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    refuse_while_recording("one_hot", "it has no bound form; encode the labels outside of the step")
    labels, classes = plain(labels), _number_of("one_hot", classes)
    xp = namespace_of(labels)
    if not xp.isdtype(labels.dtype, "integral"):
        raise TypeError(f"one_hot takes integer class numbers, got {labels.dtype}")
    if backend_of(labels) == "cpu" and labels.size and not 0 <= int(xp.min(labels)) <= int(xp.max(labels)) < classes:
        wrong = int(xp.min(labels)) if int(xp.min(labels)) < 0 else int(xp.max(labels))
        raise ValueError(f"one_hot: class numbers lie in [0, {classes}), got {wrong}")
    return xp.astype(hits(labels, classes), dtype or _floating(labels))


def hardmax(x: Array, *, axis: int = -1) -> Array:
    """1 at the largest element along an axis, 0 elsewhere: the one-hot of the argmax; of equals the first.

    What softmax softens: hardmax(z) is the limit of softmax(c z) for large c where one element is largest.
    x: one axis or more, real. Returns that shape and dtype. Nothing is recorded: its derivative is 0 or undefined.

    Raises ValueError for an axis that x does not have, or that is empty.

    >>> import numpy as np
    >>> hardmax(np.asarray([5.0, 2.0, -1.0, 3.0]))
    array([1., 0., 0., 0.])
    """
    refuse_while_recording("hardmax", "it has no bound form")
    raw = plain(x)
    xp = namespace_of(raw)
    if not (-len(raw.shape) <= axis < len(raw.shape) and raw.shape[axis]):
        raise ValueError(f"hardmax over axis {axis} takes an array with elements along it, got shape {raw.shape}")
    found = xp.moveaxis(xp.astype(hits(xp.argmax(raw, axis=axis), raw.shape[axis]), raw.dtype), -1, axis)
    return Tensor(found) if isinstance(x, Tensor) else found


def smooth_labels(target: Array, smoothing: float, classes: int, *, dtype: Any = None) -> Array:
    """(1 - s) t + s / classes: label smoothing, after which no logit needs to grow without bound.

    target: (N,) integer classes, which become one-hot rows (N, classes) first; or floats of any shape, (N, classes)
    probabilities, or with classes=2 the 0 and 1 of `binary_cross_entropy` (NaN stays missing). smoothing: s in [0, 1).
    dtype: of what integers become; see `one_hot`. `softmax_cross_entropy` of these targets is PyTorch's
    cross_entropy(label_smoothing=s). Source: Szegedy et al. 2016, section 7.

    Raises ValueError for a smoothing out of range, probabilities of other classes; TypeError, ValueError as `one_hot`.

    >>> import numpy as np
    >>> smooth_labels(np.asarray([0, 2]), 0.3, 3).round(3)
    array([[0.8, 0.1, 0.1],
           [0.1, 0.1, 0.8]])
    """
    share = below_one("smooth_labels: smoothing", smoothing)
    refuse_while_recording("smooth_labels", "it has no bound form; smooth the labels outside of the step")
    target, classes = plain(target), _number_of("smooth_labels", classes)
    if namespace_of(target).isdtype(target.dtype, "integral"):
        target = one_hot(target, classes, dtype=dtype)
    elif classes > 2 and (not target.shape or target.shape[-1] != classes):
        raise ValueError(f"smooth_labels: probabilities of {classes} classes are (N, {classes}), got {target.shape}")
    return target * (1.0 - share) + share / classes


def _number_of(who: str, classes: int) -> int:
    count = integer(f"{who}: classes", classes)
    if count < 1:
        raise ValueError(f"{who}: classes is a number from 1, got {count}")
    return count


def hits(labels: Array, classes: int) -> Array:
    """(*labels.shape, classes): whether the label is each class; nowhere for one out of range."""
    xp = namespace_of(labels)
    wide = labels.dtype if xp.iinfo(labels.dtype).bits == 64 else xp.int64  # narrow ones may not count so far
    return labels[..., None] == xp.arange(classes, dtype=wide, device=labels.device)


def _floating(labels: Array) -> Any:
    xp = namespace_of(labels)
    return xp.zeros(0, device=labels.device).dtype
