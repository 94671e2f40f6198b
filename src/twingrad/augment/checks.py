"""Checks of what augmentations are given: each names the argument, the rule and the value."""

from __future__ import annotations

import math
from typing import Any

from twingrad.functional.checks import integer, number
from twingrad.namespace import Array, namespace_of

LAYOUT = {2: "(N, T)", 3: "(N, H, W)", 4: "(N, H, W, C)"}
CHANNELS, TALL = (1, 3, 4), 8
"""Three dimensions of which the last is one of these and the second that large or larger are one image (H, W, C)."""


def check_batch(who: str, x: Array, ranks: tuple[int, ...]) -> None:
    """Raise unless x is a batch of float32 or float64 with one of these numbers of dimensions, none of them 0.

    In float16 draws and places between pixels would be too coarse, and large ones infinite. What looks like one image
    with channels is refused, for as a batch of narrow grey ones it would be changed without a word.
    """
    xp = namespace_of(x)
    if x.dtype not in (xp.float32, xp.float64):
        cure = "cast it" if xp.isdtype(x.dtype, "real floating") else "divide bytes by 255"
        raise TypeError(f"{who}: x must be float32 or float64; got {x.dtype}: {cure} first")
    shape, told = tuple(x.shape), " or ".join(LAYOUT[rank] for rank in ranks)
    if len(shape) == 3 and shape[2] in CHANNELS and shape[1] >= TALL and 4 in ranks:
        narrow = f"; grey images {shape[2]} wide go in as (N, H, W, 1)" if 3 in ranks else ""
        raise ValueError(
            f"{who}: x must be {told}; {shape} looks like one image (H, W, C): give a batch of it, x[None]{narrow}"
        )
    if len(shape) not in ranks or 0 in shape[1:]:
        flat = "; Compose(..., shape=(H, W)) takes flat examples, x[None] is a batch of one image"
        raise ValueError(f"{who}: x must be {told}; got {shape}{flat if len(shape) == 2 and 3 in ranks else ''}")


def probability(name: str, value: float) -> None:
    """Raise ValueError unless it lies in [0, 1]."""
    if not 0 <= number(name, value) <= 1:
        raise ValueError(f"{name} must lie in [0, 1]; got {value}")


def finite(name: str, value: float) -> None:
    """Raise ValueError for infinity and not-a-number."""
    if not math.isfinite(number(name, value)):
        raise ValueError(f"{name} must be a finite number; got {value}")


def at_least(name: str, value: float, least: float = 0.0) -> None:
    """Raise ValueError unless it is finite and at least so much."""
    if not (math.isfinite(number(name, value)) and value >= least):
        raise ValueError(f"{name} must be a finite number of at least {least:g}; got {value}")


def positive(name: str, value: float) -> None:
    """Raise ValueError unless it is finite and above 0."""
    if not (math.isfinite(number(name, value)) and value > 0):
        raise ValueError(f"{name} must be a finite number above 0; got {value}")


def whole(name: str, value: Any, least: int = 0) -> None:
    """Raise unless it is an int of at least so much."""
    if integer(name, value) < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
