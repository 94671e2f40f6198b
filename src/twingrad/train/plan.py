"""What a run was asked for, beside its model, its optimizer and its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Schedule = Callable[[int, int], float]
"""(updates done, epochs done) -> the learning rate of the next update."""


@dataclass(frozen=True)
class Plan:
    """See the arguments of `fit`."""

    epochs: int
    batch_size: int
    seed: int
    keep: str
    capture: str
    accumulate: int
    evaluate_every: int | None
    schedule: Schedule | None

    def to_dict(self) -> dict[str, Any]:
        """What decides the bits of a run: `capture` does not."""
        schedule = self.schedule
        described = schedule.to_dict() if schedule and hasattr(schedule, "to_dict") else name_of(schedule)
        names = ("epochs", "batch_size", "seed", "keep", "accumulate", "evaluate_every")
        return {name: getattr(self, name) for name in names} | {"schedule": described}


def name_of(function: Any) -> str | None:
    """What a configuration calls a function."""
    return None if function is None else str(getattr(function, "__qualname__", type(function).__qualname__))
