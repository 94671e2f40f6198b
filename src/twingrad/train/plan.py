"""What a run was asked for, beside its model, its optimizer and its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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

    def to_dict(self) -> dict[str, Any]:
        """What decides the bits of a run: `capture` does not."""
        names = ("epochs", "batch_size", "seed", "keep", "accumulate", "evaluate_every")
        return {name: getattr(self, name) for name in names}
