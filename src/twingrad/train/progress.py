"""A progress bar of the run. rich is imported only when one is made."""

from __future__ import annotations

from typing import Any

from twingrad.train.callbacks import Callback, Run
from twingrad.train.history import HEADINGS, Record, shown

FULL = 60
"""A terminal of fewer columns has no bar, and the time without a word."""
AROUND = 4
"""Columns left free for the ^C that a terminal writes after the line, and for a number that grows."""


def measured(record: Record) -> str:
    """Loss and what the task measures first, in one short line.

    >>> from twingrad.train import Evaluation
    >>> measured(Record(1, 9, 0.01, Evaluation(0.25, {"accuracy": 0.9}), Evaluation(0.5, {"accuracy": 0.875})))
    'loss 0.2500, dev 0.5000; accuracy 90.00%, dev 87.50%'
    """
    names, told = ["loss", *list(record.train.metrics)[:1]], []
    for name in names:
        parts = [shown(name, getattr(record.train, name))]
        parts += [] if record.dev is None else [f"dev {shown(name, getattr(record.dev, name))}"]
        told.append(f"{HEADINGS.get(name, name)} {', '.join(parts)}")
    return "; ".join(told)


def fitting(record: Record, room: int) -> str:
    """The most of the measurements that this many columns hold, whole: all, the dev part's, or the last of these.

    >>> from twingrad.train import Evaluation
    >>> record = Record(1, 9, 0.01, Evaluation(0.25, {"accuracy": 0.9}), Evaluation(0.5, {"accuracy": 0.875}))
    >>> for room in (60, 40, 20, 10):
    ...     fitting(record, room)
    'loss 0.2500, dev 0.5000; accuracy 90.00%, dev 87.50%'
    'dev loss 0.5000, accuracy 87.50%'
    'accuracy 87.50%'
    ''
    """
    part, of = ("train", record.train) if record.dev is None else ("dev", record.dev)
    pieces = [f"{HEADINGS.get(n, n)} {shown(n, getattr(of, n))}" for n in ("loss", *list(of.metrics)[:1])]
    told = (measured(record), f"{part} {', '.join(pieces)}", pieces[-1], "")
    return next(text for text in told if len(text) <= room)


def layout(width: int, digits: int) -> tuple[int, int]:
    """The columns of the bar, and those left for the measurements, in a terminal of `width`.

    >>> layout(120, 2), layout(80, 2), layout(40, 2)
    ((30, 58), (14, 34), (0, 17))
    """
    bar = 0 if width < FULL else 10 if width < 80 else max(14, min(30, width - 86))
    around = len("epoch / ") + 2 * digits + (bar + 1 if bar else 0) + len(" 9999 s elapsed" if bar else " 9999 s")
    return bar, max(0, width - around - AROUND)


class Progress(Callback):
    """A bar over the epochs on standard error, with the newest measurements; nothing where that is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bar: Any = None
        self._task: Any = None
        self._room = 0

    def on_start(self, run: Run) -> None:
        """Show the bar."""
        if not self._console.is_terminal:
            return
        from rich import progress

        digits = len(str(run.epochs))
        bar, self._room = layout(self._console.width, digits)
        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]:>{task.fields[digits]}}/{task.fields[epochs]}"),
            *([progress.BarColumn(bar_width=bar)] if bar else []),
            progress.TextColumn("{task.fields[measured]}"),
            progress.TextColumn("{task.elapsed:.0f} s" + (" elapsed" if bar else "")),
            console=self._console,
            transient=True,
        )
        last = run.history.records[-1:]
        fields = {"digits": digits, "measured": fitting(last[0], self._room) if last else ""}
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
            self._bar.update(self._task, measured=fitting(record, self._room))

    def on_end(self, run: Run) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
