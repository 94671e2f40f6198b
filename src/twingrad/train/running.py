"""The losses of mini-batches while they are learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from twingrad.train.metrics import plain

READ_EVERY = 64
"""Updates whose losses stay where they are: on a GPU each reading waits for the steps before it."""


class RunningLoss:
    """The mean loss over the examples of the mini-batches since the last evaluation, summed in float64 in their order.

    total, examples: what has been read so far. strange: what was not finite first, and in which update; else None.
    """

    def __init__(self) -> None:
        self.total, self.examples = 0.0, 0
        self.strange: str | None = None
        self._unread: list[tuple[int, int, Sequence[tuple[Any, int]]]] = []

    def add(self, epoch: int, step: int, losses: Sequence[tuple[Any, int]]) -> None:
        """Take (mean loss, examples) of each mini-batch of an update."""
        self._unread.append((epoch, step, losses))
        if len(self._unread) >= READ_EVERY:
            self.read()

    def read(self) -> None:
        """Add up what has come since."""
        for epoch, step, losses in self._unread:
            for loss, examples in losses:
                value = float(loss)
                self.total, self.examples = self.total + value * examples, self.examples + examples
                if self.strange is None and not math.isfinite(value):
                    self.strange = f"the loss is {value:g} in epoch {epoch}, update {step}"
        self._unread.clear()

    def take(self) -> float:
        """The mean, and begin anew."""
        self.read()
        mean = self.total / self.examples
        self.total, self.examples = 0.0, 0
        return mean

    def state(self) -> list[Any]:
        """What a checkpoint keeps, as JSON holds it."""
        self.read()
        return [plain(self.total), self.examples]

    def restore(self, state: Sequence[Any]) -> None:
        """Take what `state` gave; what was read since is forgotten."""
        self._unread.clear()
        self.strange, (total, self.examples) = None, state
        self.total = math.nan if total is None else total
