"""What a run was asked for, beside its model, its optimizer and its data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

TRAIN_LOSSES = ("evaluated", "steps")


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
    dropout: bool = True
    label_smoothing: float = 0.0
    train_loss: str = "evaluated"
    precision: str = "float32"

    def to_dict(self) -> dict[str, Any]:
        """What decides the bits of a run: `capture` does not."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "capture"}
