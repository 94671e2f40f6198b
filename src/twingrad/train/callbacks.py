"""What is told about a run while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from twingrad.functional.checks import integer
from twingrad.train.history import History, Record


@dataclass
class Run:
    """A run of `fit`, as its callbacks see it.

    Attributes:
        model, optimizer: what is trained, and by what; `optimizer.lr` may be set between steps.
        epochs, batches: how many epochs there will be, and mini-batches in each (None where only their end tells).
        epoch, batch: the epoch that goes on, from 1, and how many of its mini-batches are done.
        step: updates done since the run began; with gradient accumulation one takes several mini-batches.
        history: the records so far. best: which of them is the best, counted from 0; -1 before the first.
        stop: set it true, and the run ends after this step or epoch.
    """

    model: Any
    optimizer: Any
    epochs: int
    batches: int | None
    epoch: int = 1
    batch: int = 0
    step: int = 0
    history: History = field(default_factory=History)
    best: int = -1
    stop: bool = False


class Callback:
    """Told when a run starts, after each update, epoch and evaluation, and when it ends (by an error too).

    Override what you need. `fit` also takes a plain function, called with each evaluation's `Record`. A callback that
    remembers more than `run.history` gives it in `state` and takes it in `restore`, so that runs can be resumed.
    """

    def on_start(self, run: Run) -> None:
        """Before the first step, or the first after a run is resumed."""

    def on_step(self, run: Run) -> None:
        """After each update. Reading a loss here would wait for the device at each step."""

    def on_epoch(self, run: Run) -> None:
        """After the last update of each epoch, before its evaluation."""

    def on_evaluation(self, run: Run, record: Record) -> None:
        """After each evaluation: at the end of each epoch, or every so many steps."""

    def on_end(self, run: Run) -> None:
        """After the last step, an interruption or an error."""

    def state(self) -> Any:
        """What a checkpoint keeps of this callback: what JSON holds, and NumPy arrays; None for nothing."""
        return None

    def restore(self, state: Any) -> None:
        """Take what `state` gave."""


class EachRecord(Callback):
    """A plain function as a callback."""

    def __init__(self, function: Callable[[Record], object]) -> None:
        self.function = function

    def on_evaluation(self, run: Run, record: Record) -> None:
        """Call the function with the record."""
        self.function(record)


class EarlyStopping(Callback):
    """Ends the run after `patience` evaluations in a row that did not better the best score.

    The score is `Record.score`: accuracy, the lower loss deciding between equals; for a regression the loss. With
    fit(keep="best") the model is left with the parameters of the best evaluation.

    >>> EarlyStopping(3)
    EarlyStopping(3)
    """

    def __init__(self, patience: int) -> None:
        self.patience = integer("EarlyStopping: patience", patience)
        if self.patience < 1:
            raise ValueError(f"EarlyStopping: patience is a number of evaluations from 1; got {patience!r}")

    def on_evaluation(self, run: Run, record: Record) -> None:
        """Count the evaluations since the best."""
        run.stop = run.stop or len(run.history) - 1 - run.best >= self.patience

    def __repr__(self) -> str:
        return f"EarlyStopping({self.patience})"


def as_callbacks(callbacks: Any) -> list[Callback]:
    """The callbacks, those that are plain functions wrapped; a TypeError for anything else."""
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"fit: callbacks must be a list of Callbacks and functions; got {callbacks!r}")
    return [_as_callback(callback) for callback in callbacks]


def _as_callback(callback: Callback | Callable[[Record], object]) -> Callback:
    """`callback`, wrapped where it is a plain function; a TypeError for anything else."""
    if isinstance(callback, Callback):
        return callback
    if callable(callback) and not isinstance(callback, type):
        return EachRecord(callback)
    raise TypeError(f"fit: a callback is a Callback or a function of a Record; got {callback!r}")
