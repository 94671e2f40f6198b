"""Two results of one suite side by side: what became slower."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from twingrad.benchmarks import machine, suites
from twingrad.benchmarks.limits import LIMITS

MARGIN = 1.1
"""A median that grew by more than this, with its lower quartile above the old upper one, is told as slower."""


class Change(NamedTuple):
    """A contender's times in milliseconds, before and now."""

    name: str
    old_ms: float
    new_ms: float

    @property
    def factor(self) -> float:
        """How many times as long it takes now."""
        return self.new_ms / self.old_ms


def read(path: Path) -> dict[str, Any]:
    """A result of `twingrad bench`. Raises OSError where it cannot be read, ValueError where it is something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = found["format"] == suites.FORMAT and isinstance(found["workloads"], list)
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(f"{path} is not a result of `twingrad bench` in format {suites.FORMAT}")
    return dict(found)


def measured(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each contender of each case: its name and its row. Limits are left out: they are the machine's."""
    for result in found["workloads"]:
        for case in result["cases"]:
            for row in case["contenders"]:
                if row["contender"] not in LIMITS:
                    yield f"{result['workload']}, {case['case']}, {row['contender']}", row


def slower(old: dict[str, Any], new: dict[str, Any]) -> tuple[list[Change], int]:
    """What became slower, the worst first; and how many measurements the two results share."""
    before, found, shared = dict(measured(old)), [], 0
    for name, row in measured(new):
        if name in before:
            shared += 1
            was = before[name]
            apart = row["quartiles_ms"][0] > was["quartiles_ms"][1]
            change = Change(name, was["median_ms"], row["median_ms"])
            if apart and change.factor > MARGIN:
                found.append(change)
    return sorted(found, key=lambda change: -change.factor), shared


def told(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The comparison for a reader."""
    found, shared = slower(old, new)
    lines = [f"## compared with {old['date']}\n"]
    places = {machine.line(result["machine"]) for one in (old, new) for result in one["workloads"]}
    if len(places) > 1:
        lines += ["The machine or the libraries differ:\n", *(f"- {place}" for place in sorted(places)), ""]
    lines.append(
        f"{len(found)} of {shared} measurements became slower by more than {MARGIN - 1:.0%}" + ":" * bool(found)
    )
    lines += [f"- {c.name}: {c.old_ms:.3g} ms, now {c.new_ms:.3g} ms ({c.factor:.2f} times)" for c in found]
    return "\n".join([*lines, ""])
