"""A progress bar of loss and accuracy. rich is imported only when one is made."""

from __future__ import annotations

from typing import Any

from twingrad.train.callbacks import Callback, Run
from twingrad.train.history import Record


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
            progress.BarColumn(bar_width=None),
            progress.TextColumn("{task.fields[measured]}"),
            progress.TimeElapsedColumn(),
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
            loss, accuracy = record.dev_loss, record.dev_accuracy
            dev = f"  dev loss {loss:.4f} accuracy {accuracy:.4f}" if loss is not None else ""
            text = f"train loss {record.train_loss:.4f} accuracy {record.train_accuracy:.4f}{dev}"
            self._bar.update(self._task, measured=text)

    def on_end(self, run: Run) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
