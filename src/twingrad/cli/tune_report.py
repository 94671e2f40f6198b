"""What `twingrad tune` prints and writes about a search. rich is imported only here."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

from twingrad.train.history import HEADINGS
from twingrad.train.history import shown as shown_metric
from twingrad.tune import Search
from twingrad.tune.result import shown

STATES = ("complete", "pruned", "diverged", "failed")
ROWS, WIDTH = 10, 20
"""So many trials are listed, and so many characters a column may have."""


def as_csv(found: Search, metric: str) -> str:
    """A row for each trial."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["trial", "state", metric, *found.space, "seconds"])
    for trial in found:
        row = [trial.index, trial.state, "" if trial.value is None else trial.value]
        writer.writerow([*row, *(trial.values[name] for name in found.space), trial.seconds])
    return file.getvalue()


def result(found: Search, folder: Path, metric: str) -> dict[str, Any]:
    """What --json tells."""
    states = [trial.state for trial in found]
    best = {"trial": found.best.index, "metric": metric, "value": found.best.value, "values": found.best.values}
    counts = {state: states.count(state) for state in STATES}
    return {"best": best, "trials": len(found), **counts, "importance": found.importance(), "out": str(folder)}


def show(found: Search, facts: dict[str, str], metric: str, file: Any) -> None:
    """Print the best trials, then plain lines."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("trial", f"dev {HEADINGS.get(metric, metric)}", *found.space, "seconds"):
        table.add_column(heading.replace("_", " "), justify="right")
    for trial in found.ranked[:ROWS]:
        value = shown_metric(metric, trial.value or 0.0)
        cells = [value, *(shown(trial.values[name]) for name in found.space), f"{trial.seconds:.1f}"]
        table.add_row(str(trial.index), *cells, style="bold" if trial is found.ranked[0] else None)
    console = Console(file=file, highlight=False, width=WIDTH * len(table.columns))  # no number is folded in two
    with console.capture() as drawn:
        console.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines() if line.strip()), file=file)
    states = [trial.state for trial in found]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    shares = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in found.importance().items())
    told = {"trials": counts, "importance": shares, **facts}
    print("\n".join(f"  {name:<10}  {value}" for name, value in told.items() if value), file=file)


class Progress:
    """A bar over the trials with the best so far, on standard error; nothing where that is no terminal."""

    def __init__(self, trials: int, metric: str, quiet: bool) -> None:
        self.metric = metric
        self._bar: Any = None
        self._task: Any = None
        if quiet or not sys.stderr.isatty():
            return
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("trial {task.completed}/{task.total}"),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[best]}"),
            progress.TextColumn("{task.elapsed:.0f} s"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=trials, best="")
        self._bar.start()

    def show(self, found: Search) -> None:
        """After a trial."""
        if self._bar is None:
            return
        best = ""
        if found.ranked:
            best = f"best {shown_metric(self.metric, found.best.value or 0.0)} in trial {found.best.index}"
        self._bar.update(self._task, completed=len(found), best=best)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
