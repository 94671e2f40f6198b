"""What is told about a run while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twingrad.train.history import History, Record


@dataclass
class Run:
    """A run of `fit`, as its callbacks see it.

    Attributes:
        model, optimizer: what is trained, and by what; `optimizer.lr` may be set between epochs.
        epochs, batches: how many epochs there will be, and mini-batches in each.
        epoch, batch: the ones that go on or were last finished, from 1.
        history: the records so far.
        stop: set it true, and the run ends after this epoch.
    """

    model: Any
    optimizer: Any
    epochs: int
    batches: int
    epoch: int = 0
    batch: int = 0
    history: History = field(default_factory=History)
    stop: bool = False


class Callback:
    """Told when a run starts, after each mini-batch, after each epoch, and when it ends (by an error too).

    Override what you need. `fit` also takes a plain function, called with each epoch's `Record`.
    """

    def on_start(self, run: Run) -> None:
        """Before the first epoch."""

    def on_batch(self, run: Run) -> None:
        """After each mini-batch. Reading a loss here would wait for the device at each step."""

    def on_epoch(self, run: Run, record: Record) -> None:
        """After each epoch's evaluation."""

    def on_end(self, run: Run) -> None:
        """After the last epoch, an interruption or an error."""


class EachEpoch(Callback):
    """A plain function as a callback."""

    def __init__(self, function: Callable[[Record], object]) -> None:
        self.function = function

    def on_epoch(self, run: Run, record: Record) -> None:
        """Call the function with the record."""
        self.function(record)


def as_callback(callback: Callback | Callable[[Record], object]) -> Callback:
    """`callback`, wrapped where it is a plain function; a TypeError for anything else."""
    if isinstance(callback, Callback):
        return callback
    if callable(callback) and not isinstance(callback, type):
        return EachEpoch(callback)
    raise TypeError(f"fit: a callback is a Callback or a function of a Record; got {callback!r}")
