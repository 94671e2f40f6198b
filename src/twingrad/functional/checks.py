"""Checks of numbers, of hyperparameters above all: each names the argument and the value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any


def non_negative(name: str, value: float) -> float:
    """`value` as a float; ValueError unless it is finite and not negative."""
    given = number(name, value)
    if not (math.isfinite(given) and given >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value}")
    return given


def below_one(name: str, value: float) -> float:
    """`value` as a float; ValueError unless it is in [0, 1)."""
    given = number(name, value)
    if not 0 <= given < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}")
    return given


def checked(of: str, **values: float) -> dict[str, Any]:
    """Each hyperparameter of an update rule as a float, by the check that belongs to its name.

    of: stands before the name in a message: "adam: " or nothing.
    """
    return {name: CHECKS[name](f"{of}{name}", value) for name, value in values.items()}


def number(name: str, value: Any) -> float:
    """`value` as a float; TypeError for a text, a boolean, None, a list and what else is no number."""
    try:
        if not isinstance(value, str | bytes | bool):
            return float(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be a number, got {value!r}")


def integer(name: str, value: Any) -> int:
    """`value`, any kind of integer but a bool, as an int; else a TypeError."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be an int; got {value!r}")


def ordered(name: str, low: float, high: float) -> None:
    """ValueError unless low <= high, both finite."""
    if not (math.isfinite(number(name, low)) and math.isfinite(number(name, high)) and low <= high):
        raise ValueError(f"{name} must be two finite numbers (low, high), low <= high; got ({low}, {high})")


def positive_or_none(name: str, value: float | None) -> float | None:
    """`value` as a float, or None; ValueError unless it is positive."""
    if value is None:
        return None
    if not number(name, value) > 0:
        raise ValueError(f"{name} must be positive, or None for no clipping; got {value}")
    return float(value)


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """`value`; ValueError unless it is one of `known`."""
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}; got {value!r}")
    return value


CHECKS: dict[str, Callable[[str, float], float]] = {
    **dict.fromkeys(("lr", "eps", "weight_decay", "l1"), non_negative),
    **dict.fromkeys(("beta1", "beta2", "alpha", "momentum"), below_one),
}
"""What each hyperparameter must be, wherever it is given."""
