"""What the losses share: weights, and how the losses of examples become one number."""

from __future__ import annotations

from typing import Any

from twingrad.autodiff import Tensor
from twingrad.namespace import Array, backend_of, namespace_of
from twingrad.precision import arithmetic

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(loss: str, reduction: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError for another name than mean, sum or none, and for a mean over nothing."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is one of {', '.join(REDUCTIONS)}; got {reduction!r}")
    if reduction == "mean" and 0 in shape:
        raise ValueError(f'{loss} has no mean over nothing, got shape {shape}; reduction="sum" gives 0')


def check_weights(loss: str, name: str, weights: Array | None, shape: tuple[int, ...], dtype: Any) -> None:
    """Raise unless `weights` are None, or floats of `shape` and `dtype`, NumPy's finite and not negative."""
    if weights is None:
        return
    if not hasattr(weights, "shape") or tuple(weights.shape) != shape:
        given = f"shape {weights.shape}" if hasattr(weights, "shape") else f"a {type(weights).__name__}"
        raise ValueError(f"{loss} takes {name} as an array of shape {shape}, got {given}")
    dtype = arithmetic(dtype)
    if weights.dtype != dtype:
        raise TypeError(f"{loss} takes {name} of the dtype of its first argument, {dtype}; got {weights.dtype}")
    if backend_of(weights) != "cpu":
        return
    if not bool(namespace_of(weights).all((weights >= 0.0) & (weights < float("inf")))):
        raise ValueError(f"{loss} takes {name} that are finite and at least 0; one is not")


def plain(array: Any) -> Any:
    """The array behind a Tensor, or what is given."""
    return array.data if isinstance(array, Tensor) else array


def reduced(losses: Array, weights: Array | None, reduction: str) -> Array:
    """The losses as they are, their sum, or their mean: the sum over the sum of `weights`, over their number for None.

    losses: weighted already. weights: of the shape of the losses; where they are all 0 the mean is 0.
    """
    xp = namespace_of(losses, weights)
    if reduction == "none":
        return losses
    if reduction == "sum" or weights is None:
        return getattr(xp, reduction)(losses)
    all_weights: Any = xp.sum(weights)
    return xp.sum(losses) / xp.where(plain(all_weights) == 0, 1, all_weights)
