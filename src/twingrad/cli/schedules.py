"""The learning rate's schedule that options ask for."""

from __future__ import annotations

from typing import Any


def make_schedule(values: dict[str, Any], updates: int) -> Any:
    """The schedule for so many updates an epoch; None for a constant rate.

    Raises:
        ValueError: an option that does not apply.
    """
    if values["schedule"] == "constant" and not values["warmup"]:
        return None
    raise ValueError("not yet")
