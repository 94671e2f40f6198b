"""The learning rate over the steps and epochs of a run."""

from __future__ import annotations

from collections.abc import Callable

from twingrad.errors import CaptureError
from twingrad.functional.checks import non_negative
from twingrad.optim.schedules import Schedule
from twingrad.recording import current

Rate = float | Schedule | Callable[[int], float]


class Rated:
    """What counts steps and epochs, and has a learning rate that may follow them: every optimizer.

    steps_taken: the steps since the beginning.
    """

    def __init__(self, lr: Rate) -> None:
        self.lr = lr
        self.steps_per_epoch: int | None = None
        self.steps_taken = 0
        self._epoch_began = 0, 0

    @property
    def lr(self) -> Rate:
        """The learning rate; may be set between steps. `rate` tells what a schedule gives."""
        return self._lr

    @lr.setter
    def lr(self, value: Rate) -> None:
        if current() is not None:
            raise CaptureError(
                "the learning rate cannot be set inside a captured step, where it would be frozen; set optimizer.lr "
                "between steps, or give a function of the step number as lr"
            )
        self._lr = value if callable(value) else non_negative("lr", value)

    @property
    def steps_per_epoch(self) -> int | None:
        """How many steps make an epoch, for schedules that count epochs; `tg.fit` sets it."""
        return self._steps_per_epoch

    @steps_per_epoch.setter
    def steps_per_epoch(self, value: int | None) -> None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"steps_per_epoch must be a positive integer, got {value!r}")
        self._steps_per_epoch = value

    @property
    def epochs_done(self) -> int:
        """How many epochs have ended, for schedules that count them: of `steps_per_epoch` steps each, or as told."""
        steps, epochs = self._epoch_began
        return epochs + (self.steps_taken - steps) // (self.steps_per_epoch or 2**31)

    def count_epochs(self, steps: int) -> None:
        """From here on an epoch has so many steps; those done stay done, and one that had begun begins anew."""
        self.steps_per_epoch = self.steps_per_epoch or steps
        self._epoch_began = self.steps_taken, self.epochs_done
        self.steps_per_epoch = steps

    def end_epoch(self) -> None:
        """An epoch ends here, however many steps it had."""
        self._epoch_began = self.steps_taken, self._epoch_began[1] + 1

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        lr = self._lr
        if isinstance(lr, Schedule):
            return non_negative("lr", lr(self.steps_taken, self._epoch(lr)))
        return non_negative("lr", lr(self.steps_taken)) if callable(lr) else lr

    def _epoch(self, lr: Schedule) -> int:
        if self.steps_per_epoch is None and lr.counts_epochs:
            raise ValueError(
                f"{lr!r} counts epochs, and the optimizer does not know how many steps make one: "
                "set optimizer.steps_per_epoch (tg.fit does)"
            )
        return self.epochs_done
