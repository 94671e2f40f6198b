"""The arguments that all optimizers share, checked whenever they are set."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from twingrad.functional.checks import below_one, number, positive_or_none

if TYPE_CHECKING:
    from twingrad.optim.optimizer import Optimizer

LARGEST_SCALE = 2.0**126


class Shared(TypedDict, total=False):
    """The arguments that every optimizer takes; see `Optimizer`."""

    weight_decay: float
    decoupled: bool
    l1: float
    clip_value: float | None
    clip_norm: float | None
    ema: float | None
    loss_scale: float


class Checked:
    """An attribute that is checked whenever it is set."""

    def __init__(self, check: Callable[[str, Any], Any]) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Optimizer | None, owner: type) -> Any:
        return self if optimizer is None else optimizer.__dict__[self.name]

    def __set__(self, optimizer: Optimizer, value: Any) -> None:
        optimizer.__dict__[self.name] = self.check(self.name, value)


class Built(Checked):
    """A checked attribute that decides which moments there are: once they are made it may not come to need others."""

    def __set__(self, optimizer: Optimizer, value: Any) -> None:
        given = self.check(self.name, value)
        if optimizer.__dict__.get("state") is not None and bool(given) != bool(optimizer.__dict__[self.name]):
            raise ValueError(
                f"{self.name} of this {type(optimizer).__name__} cannot become {given}: it was made with "
                f"{optimizer.__dict__[self.name]}, and with the moments for that; make another optimizer"
            )
        optimizer.__dict__[self.name] = given


def flag(name: str, value: bool) -> bool:
    """`value`; TypeError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def limit(name: str, value: float | None) -> float | None:
    """What clips, above 0; None for nothing, which infinity is too."""
    given = positive_or_none(name, value)
    return None if given == math.inf else given


def decay(ema: float | None) -> float | None:
    """That of an average of the weights, in [0, 1); None where there is none."""
    return None if ema is None else below_one("ema", ema)


def scale(name: str, value: float) -> float:
    """That of a loss, which float32 holds, and its inverse."""
    given = number(name, value)
    if not LARGEST_SCALE**-1 <= given <= LARGEST_SCALE:
        raise ValueError(f"{name} must be positive, between 2^-126 and 2^126; got {value}")
    return given
