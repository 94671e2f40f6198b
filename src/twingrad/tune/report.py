"""How a trial tells what it has come to so far, and learns whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Pruned(Exception):
    """A trial is given up: others were better at this point. An objective lets it pass."""


class Report:
    """What an objective is given beside its values: `report(value)` after each epoch, say.

    Raises Pruned where the search gives the trial up. `report.watch("dev_loss")` is a callback of `tg.fit` that
    reports this of each evaluation. index: the trial's number.
    """

    def __init__(self, index: int, tell: Callable[[float, int], bool]) -> None:
        self.index, self.step, self._tell = index, 0, tell

    def __call__(self, value: float) -> None:
        """Tell a value, of the kind that the objective will return."""
        self.step += 1
        if self._tell(float(value), self.step):
            raise Pruned

    def watch(self, metric: str) -> Callable[[Any], None]:
        """A function of a `Record`: reports its `metric`."""
        return lambda record: self(getattr(record, metric))
