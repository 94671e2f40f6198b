"""What the losses of single numbers share: one prediction, one target, one loss."""

from __future__ import annotations

from typing import Any

from twingrad.functional.reduction import check_reduction, check_weights, plain, reduced
from twingrad.namespace import Array, namespace_of, real_floating


def check_shapes(
    loss: str,
    x: Array,
    target: Array,
    example_weight: Array | None = None,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
) -> None:
    """Raise unless predictions and targets have one shape, (N,) or (N, K), and the weights and the mask fit it.

    Targets (N,) may stand beside predictions (N, 1).
    """
    check_reduction(loss, reduction, x.shape)
    if len(x.shape) not in (1, 2) or not _fits(target.shape, x.shape):
        cure = "; reshape one of them: broadcasting would pair every prediction with every target"
        raise ValueError(
            f"{loss} takes predictions and targets of one shape, (N,) or (N, K), got {x.shape} and {target.shape}"
            f"{cure if x.shape[:1] == target.shape[:1] else ''}"
        )
    if not real_floating(x):
        raise TypeError(f"{loss} takes floating predictions, got {x.dtype}")
    if not namespace_of(target).isdtype(target.dtype, ("bool", "integral", "real floating")):
        raise TypeError(f"{loss} takes real targets, got {target.dtype}")
    check_weights(loss, "example_weight", example_weight, x.shape[:1], x.dtype)
    if mask is not None and (mask.shape != target.shape or not namespace_of(mask).isdtype(mask.dtype, "bool")):
        raise ValueError(
            f"{loss} takes a mask of booleans of the targets' shape {target.shape}, True where there is a label; "
            f"got {mask.dtype} of shape {mask.shape}"
        )


def _fits(target: tuple[int, ...], x: tuple[int, ...]) -> bool:
    return target == x or (len(target) == 1 and (*target, 1) == x)


def labels(x: Array, target: Array, mask: Array | None) -> tuple[Array, Any]:
    """The targets and the mask as plain arrays or on the tape, in the shape of x; the targets in its dtype."""
    xp = namespace_of(target)
    target = target if target.dtype == x.dtype else xp.astype(target, x.dtype)
    if target.shape == x.shape:
        return target, plain(mask)
    flags = plain(mask)
    return xp.reshape(target, x.shape), None if flags is None else namespace_of(flags).reshape(flags, x.shape)


def difference(x: Array, target: Array, mask: Array | None) -> tuple[Array, Array | None]:
    """x - target, 0 where the mask is False whatever stands there, and the mask."""
    target, present = labels(x, target, mask)
    if present is None:
        return x - target, None
    xp = namespace_of(x, target)
    return xp.where(present, x, 0) - xp.where(present, target, 0), present


def total(
    losses: Array, weights: Array | None, example_weight: Array | None, present: Array | None, reduction: str
) -> Array:
    """The losses, weighted by example and 0 where `present` is False, reduced.

    weights: what `losses` are weighted with already, of their shape, or None.
    """
    xp = namespace_of(losses, weights, example_weight)
    if example_weight is not None:
        rows: Any = xp.reshape(example_weight, (-1,) + (1,) * (len(losses.shape) - 1))
        losses = losses * rows
        weights = xp.broadcast_to(rows, losses.shape) if weights is None else weights * rows
    if present is not None:
        weights = xp.ones_like(losses) if weights is None else weights
        losses, weights = xp.where(present, losses, 0), xp.where(present, weights, 0)
    return reduced(losses, weights, reduction)
