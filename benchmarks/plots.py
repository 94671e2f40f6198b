"""A picture of each workload: how many times the base's time each contender takes, over the cases."""

from __future__ import annotations

import io
from typing import Any

from twingrad.train.curves import INSTALL, available

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
MARKERS = "osD^vPX*"
INCHES = 0.17
"""Height of a contender's line."""


def unavailable() -> str | None:
    """Why nothing can be drawn, or None."""
    return None if available() else f"matplotlib is not installed: {INSTALL}"


def png(result: dict[str, Any]) -> bytes | None:
    """The result of `driver.run` as a picture; None where no case has the base and another contender."""
    from matplotlib.figure import Figure

    base = result["base"]
    cases = [case for case in result["cases"] if base in _rows(case) and len(_rows(case)) > 1][::-1]
    if not cases:
        return None
    names = list(dict.fromkeys(who for case in cases[::-1] for who in _rows(case) if who != base))
    figure = Figure(figsize=(9, 1.6 + len(cases) * (len(names) + 1) * INCHES), dpi=110, layout="constrained")
    axes = figure.subplots()
    step = 1 / (len(names) + 1)
    for i, name in enumerate(names):
        at = {j + 0.5 - step * (i + 1): _rows(case)[name] for j, case in enumerate(cases) if name in _rows(case)}
        _points(axes, list(at), list(at.values()), i, name)
    axes.axvline(1, color=COLOURS[6], linewidth=1)
    _dress(axes, cases, base)
    figure.suptitle(f"{result['workload']}: times the time of {base}", fontsize=11)
    figure.legend(loc="outside lower center", ncols=min(4, len(names)), frameon=False, fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _rows(case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["contender"]: row for row in case["contenders"]}


def _points(axes: Any, at: list[float], rows: list[dict[str, Any]], i: int, name: str) -> None:
    """Medians of the ratios within rounds, as the tables have them, with their quartiles."""
    middle, ends = [row["times_base"] for row in rows], [row["times_quartiles"] for row in rows]
    spread = [
        [x - low for x, (low, _) in zip(middle, ends, strict=True)],
        [high - x for x, (_, high) in zip(middle, ends, strict=True)],
    ]
    style = {"marker": MARKERS[i % len(MARKERS)], "color": COLOURS[i % len(COLOURS)], "label": name}
    axes.errorbar(middle, at, xerr=spread, linestyle="none", markersize=5, elinewidth=1, **style)
    for x, y, (_, high) in zip(middle, at, ends, strict=True):
        told = f"{x:.3g}" if x < 1000 else f"{x:.0f}"
        axes.annotate(told, (max(x, high), y), (6, -2.5), textcoords="offset points", fontsize=7)


def _dress(axes: Any, cases: list[dict[str, Any]], base: str) -> None:
    """Scales, names of the cases with the base's time, and lines between them."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    times = [_rows(case)[base]["median_ms"] for case in cases]
    axes.set_yticks(range(len(cases)), [f"{c['case']}\n{base} {ms:.3g} ms" for c, ms in zip(cases, times, strict=True)])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set_ylim(-0.5, len(cases) - 0.5)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axes.margins(x=0.08)
    for y in range(1, len(cases)):
        axes.axhline(y - 0.5, color="#cccccc", linewidth=0.6)
    axes.grid(axis="x", alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
