"""A progress bar of the run. rich is imported only when one is made."""

from __future__ import annotations

import math
from typing import Any

from twingrad.train.callbacks import Callback, Run
from twingrad.train.history import Record

ROOM = 78
"""The columns that everything but the bar takes, with some for the ^C that a terminal writes after it."""


def measured(record: Record) -> str:
    """Loss and what the task measures first, in one short line.

    >>> from twingrad.train import Evaluation
    >>> measured(Record(1, 9, 0.01, Evaluation(0.25, {"accuracy": 0.9}), Evaluation(0.5, {"accuracy": 0.875})))
    'loss 0.2500, dev 0.5000; accuracy 90.0%, dev 87.5%'
    """
    names = ["loss", *list(record.train.metrics)[:1]]
    told = []
    for name in names:
        parts = [shown(name, getattr(record.train, name))]
        parts += [] if record.dev is None else [f"dev {shown(name, getattr(record.dev, name))}"]
        told.append(f"{HEADINGS.get(name, name)} {', '.join(parts)}")
    return "; ".join(told)


HEADINGS = {"exact_match": "exact match", "r2": "R2", "rmse": "RMSE", "mae": "MAE"}


def shown(name: str, value: float) -> str:
    """A loss or a metric as people read it."""
    if not math.isfinite(value):
        return "not finite"
    if name in ("accuracy", "exact_match"):
        return f"{value:.1%}"
    return f"{value:.4f}" if name in ("loss", "r2") else f"{value:.4g}"


class Progress(Callback):
    """A bar over the epochs on standard error, with the newest measurements; nothing where that is no terminal."""

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
        last = run.history.records[-1:]
        fields = {"digits": len(str(run.epochs)), "measured": measured(last[0]) if last else ""}
        total = None if run.batches is None else run.epochs * run.batches
        self._task = self._bar.add_task("", total=total, epochs=run.epochs, epoch=run.epoch, **fields)
        self._bar.start()

    def on_step(self, run: Run) -> None:
        """Advance the bar."""
        if self._bar:
            done = (run.epoch - 1) * (run.batches or 0) + run.batch
            self._bar.update(self._task, completed=done, epoch=run.epoch)

    def on_evaluation(self, run: Run, record: Record) -> None:
        """Show the newest measurements."""
        if self._bar:
            self._bar.update(self._task, measured=measured(record))

    def on_end(self, run: Run) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
