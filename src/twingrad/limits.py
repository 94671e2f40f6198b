"""Limits that numbers are cut to, such as those of pixels."""

from __future__ import annotations

from typing import Any

from twingrad.functional.checks import ordered
from twingrad.namespace import Array, namespace_of

Limits = tuple[float, float] | None


def check_limits(name: str, limits: Any) -> None:
    """Raise unless it is None or a pair of finite numbers, low <= high."""
    if limits is None:
        return
    try:
        low, high = limits
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be None or two numbers (low, high); got {limits!r}") from None
    ordered(name, low, high)


def cut(x: Array, limits: Limits) -> Array:
    """x with what lies outside moved to the nearer end; None is no limit."""
    return x if limits is None else namespace_of(x).clip(x, *limits)
