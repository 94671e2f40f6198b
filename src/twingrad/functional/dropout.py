"""Inverted dropout with a mask that is a function of integers."""

from __future__ import annotations

from typing import Any

from twingrad.autodiff import Tensor
from twingrad.functional.checks import number
from twingrad.fusable import fusable
from twingrad.namespace import Array, namespace_of
from twingrad.random.draws import keep_mask
from twingrad.random.philox import check_key


def check_probability(who: str, p: float) -> float:
    """`p` as a float; ValueError unless it is in [0, 1), TypeError where it is no number."""
    if not 0 <= number(f"p of {who}", p) < 1:
        raise ValueError(f"{who} drops with a probability p in [0, 1), got {p}; keep_prob of other texts is 1 - p")
    return float(p)


def check(x: Array, *, p: float, seed: int, stream: int, step: int) -> None:
    """Raise ValueError unless p is in [0, 1) and seed, stream and step fit their bits, TypeError for no numbers."""
    check_probability("dropout", p)
    check_key(seed, stream, step)


@fusable(validate=check, floating=True)
def dropout(x: Array, *, p: float, seed: int, stream: int, step: int) -> Array:
    """x / (1 - p) where kept, 0 where dropped; each element is dropped with probability p.

    x: any shape, floating. p: the probability to drop; the course's keep_prob is 1 - p.
    seed (64 bits), stream, step (32 bits each): the mask is a function of these and of the element's position in C
    order, so it is the same on every device, and the backward pass draws it again instead of storing it.
    A dropped element is +0.0 whatever it was. The factor 1 / (1 - p) is rounded to x's dtype once.

    >>> import numpy as np
    >>> dropout(np.ones(6), p=0.5, seed=0, stream=0, step=0)
    array([2., 0., 2., 0., 0., 2.])
    """
    xp = namespace_of(x)
    plain: Any = x.data if isinstance(x, Tensor) else x
    keep = keep_mask(
        x.shape, p=p, seed=seed, stream=stream, step=int(step), xp=namespace_of(plain), device=plain.device
    )
    scale = 1.0 / (1.0 - float(p))  # a NumPy float64 would widen x
    return xp.where(keep, x * scale, 0)
