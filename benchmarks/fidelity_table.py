"""The result of `fidelity` as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from twingrad.benchmarks import machine

COLUMNS = ("reference", "x86-64-v2", "x86-64-v3", "x86-64-v4", "cuda")
"""Always shown; others, as "baseline" of another architecture, where they were measured."""
DTYPES = ("float32", "float64")


def markdown(result: dict[str, Any]) -> str:
    """A row for each kernel and dtype: ulps allowed, and those of each column, of results and of gradients."""
    measured = result["columns"]
    columns = [*COLUMNS, *sorted(measured.keys() - set(COLUMNS))]
    lines = [
        "| kernel | dtype | allowed | " + " | ".join(columns) + " |",
        "| --- | --- |" + " ---: |" * (1 + len(columns)),
    ]
    for name, allowed in result["allowed"].items():
        for dtype in DTYPES:
            cells = [cell(measured.get(column), name, dtype) for column in columns]
            lines.append(f"| {' | '.join([name, dtype, told(allowed), *cells])} |")
    missing = [column for column in columns if column not in measured]
    absent = [f"Not measured so far: {', '.join(missing)}.", ""] if missing else []
    return "\n".join([*lines, "", *absent, f"{machine.line(result['machine'])}.\n"])


def cell(rows: dict[str, Any] | None, name: str, dtype: str) -> str:
    """What a column says of a kernel; nothing where it was not measured, or has no kernel."""
    return told(rows[name][dtype]) if rows is not None and name in rows else ""


def told(values: Sequence[float]) -> str:
    """Ulps of results, and of gradients where there are any.

    >>> told([0.0, 2.718]), told([0]), told([0.001, math.inf])
    ('0, 2.7', '0', '0.001, ∞')
    """
    return ", ".join(
        "∞" if math.isinf(value) else f"{value:.2g}" if value < 100 else f"{value:.0f}" for value in values
    )
