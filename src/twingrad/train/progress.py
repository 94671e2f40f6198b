"""A progress bar of loss and accuracy. rich is imported only when one is made."""

from __future__ import annotations

from typing import Any

from twingrad.train.callbacks import Callback, Run
from twingrad.train.history import Record

ROOM = 78
"""The columns that everything but the bar takes, with some for the ^C that a terminal writes after it."""


def measured(record: Record) -> str:
    """Loss and accuracy of an epoch in one short line.

    >>> measured(Record(1, 0.25, 0.9, 0.5, 0.875, 0.01, 0.1))
    'loss 0.2500, dev 0.5000; accuracy 90.0%, dev 87.5%'
    """
    loss, accuracy = f"loss {record.train_loss:.4f}", f"accuracy {record.train_accuracy:.1%}"
    if record.dev_loss is None:
        return f"{loss}; {accuracy}"
    return f"{loss}, dev {record.dev_loss:.4f}; {accuracy}, dev {record.dev_accuracy:.1%}"


class Progress(Callback):
    """A bar over the epochs on standard error, with the newest loss and accuracy; nothing where that is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bar: Any = None
        self._task: Any = None

    def on_start(self, run: Run) -> None:
        """Show the bar."""
        if not self._console.is_terminal:
            return
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]:>{task.fields[digits]}}/{task.fields[epochs]}"),
            progress.BarColumn(bar_width=max(4, min(30, self._console.width - ROOM))),
            progress.TextColumn("{task.fields[measured]}"),
            progress.TextColumn("{task.elapsed:.0f} s"),
            console=self._console,
            transient=True,
        )
        fields = {"epoch": 0, "epochs": run.epochs, "digits": len(str(run.epochs)), "measured": ""}
        self._task = self._bar.add_task("", total=run.epochs * run.batches, **fields)
        self._bar.start()

    def on_batch(self, run: Run) -> None:
        """Advance the bar."""
        if self._bar:
            self._bar.update(self._task, advance=1, epoch=run.epoch)

    def on_epoch(self, run: Run, record: Record) -> None:
        """Show the newest measurements."""
        if self._bar:
            self._bar.update(self._task, measured=measured(record))

    def on_end(self, run: Run) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
