"""What a training run was like, epoch by epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """One epoch: losses and accuracies in evaluation mode at its end (dev's are None where there is no dev part)."""

    epoch: int
    train_loss: float
    train_accuracy: float
    dev_loss: float | None
    dev_accuracy: float | None
    lr: float
    seconds: float

    def __str__(self) -> str:
        accuracy, of = (self.train_accuracy, "train") if self.dev_accuracy is None else (self.dev_accuracy, "dev")
        return f"epoch {self.epoch}, {of} accuracy {accuracy:.4f}"

    @property
    def score(self) -> tuple[float, float]:
        """What is compared to find the best epoch: accuracy, then loss; of the dev part, or of train without one."""
        accuracy, loss = self.train_accuracy, self.train_loss
        if self.dev_accuracy is not None and self.dev_loss is not None:
            accuracy, loss = self.dev_accuracy, self.dev_loss
        return (accuracy, -loss) if math.isfinite(loss) else (-1.0, -math.inf)


@dataclass
class History:
    """The records of a run, in order, and how it ran.

    Attributes:
        records: one `Record` an epoch; `history[-1]`, `len(history)` and iteration reach them.
        device: where the model was trained.
        path: "fused", or which operations took the reference path, and why.
        step: "captured", or "eager" with the reason.
        seconds: wall-clock time of training and evaluation.
        interrupted: whether Ctrl-C ended it.

    >>> History([Record(1, 2.0, 0.5, None, None, 0.01, 0.1)]).best.epoch
    1
    """

    records: list[Record] = field(default_factory=list)
    device: str = "cpu"
    path: str = "fused"
    step: str = "eager"
    seconds: float = 0.0
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    @property
    def best(self) -> Record | None:
        """The first record with the highest dev accuracy, the lower dev loss deciding between equals; None if empty."""
        return max(self.records, key=lambda record: record.score, default=None)

    def to_dict(self) -> dict[str, Any]:
        """The history as plain Python values; a loss that is not finite is None."""
        best = self.best
        records = [{name: _plain(value) for name, value in asdict(record).items()} for record in self.records]
        return {
            "device": self.device,
            "path": self.path,
            "step": self.step,
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "best_epoch": None if best is None else best.epoch,
            "epochs": records,
        }

    def to_json(self) -> str:
        """The history as standard JSON text (a loss that is not finite is null)."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
