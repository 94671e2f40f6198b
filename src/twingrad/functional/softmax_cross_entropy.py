"""Cross-entropy of the softmax of logits."""

from __future__ import annotations

from typing import Any

from twingrad.autodiff import Tensor
from twingrad.fusable import fusable
from twingrad.namespace import Array, backend_of, namespace_of

REDUCTIONS = ("mean", "sum", "none")


def check(logits: Array, target: Array, *, reduction: str = "mean") -> None:
    """Raise unless logits are (N, C), targets integers (N,) and, where they lie on the host, in [0, C)."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is one of {', '.join(REDUCTIONS)}; got {reduction!r}")
    if len(logits.shape) != 2 or target.shape != logits.shape[:1]:
        raise ValueError(
            f"softmax cross-entropy takes logits (N, C) and targets (N,), got {logits.shape} and {target.shape}"
        )
    xp = namespace_of(target)
    if not xp.isdtype(target.dtype, "integral"):
        raise TypeError(f"softmax cross-entropy takes integer class numbers as targets, got {target.dtype}")
    if backend_of(target) != "cuda" and target.shape[0]:
        low, high = int(xp.min(target)), int(xp.max(target))
        if low < 0 or high >= logits.shape[1]:
            raise ValueError(
                f"class numbers lie in [0, {logits.shape[1]}) for logits of {logits.shape[1]} classes, "
                f"got {low if low < 0 else high}"
            )


@fusable(validate=check)
def softmax_cross_entropy(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """-log softmax(logits)[target], from logits so that nothing overflows: the largest is subtracted first.

    logits: (N, C), floating; target: (N,), integer classes in [0, C).
    reduction: "mean" over the batch (the course's 1/m), "sum", both 0-d, or "none", (N,).
    The gradient with respect to the logits is softmax - one_hot, over N for the mean: the course's dZ = a - y.
    A class out of range raises ValueError; where the labels are not looked at on the host (on a GPU, in the replays of
    a captured step) it makes the loss NaN.

    >>> import numpy as np
    >>> loss = softmax_cross_entropy(np.asarray([[5.0, 2.0, -1.0, 3.0]]), np.asarray([1]))
    >>> print(round(float(loss), 7))
    3.1719354
    """
    xp = namespace_of(logits)
    plain: Any = logits.data if isinstance(logits, Tensor) else logits
    labels: Any = target.data if isinstance(target, Tensor) else target
    library = namespace_of(plain)
    shifted = logits - library.max(plain, axis=1, keepdims=True)
    log_sum = xp.log(xp.sum(xp.exp(shifted), axis=1))
    wide = labels.dtype if library.iinfo(labels.dtype).bits == 64 else library.int64  # narrow ones may not count to C
    hit = library.arange(plain.shape[1], dtype=wide, device=plain.device) == labels[:, None]
    losses = log_sum - xp.sum(xp.where(hit, shifted, 0), axis=1)
    losses = xp.where(library.any(hit, axis=1), losses, float("nan"))
    return losses if reduction == "none" else getattr(xp, reduction)(losses)
