"""A search as pictures. matplotlib (extra `plot`) is imported only here, and only when asked."""

from __future__ import annotations

import io
import math
from typing import Any

from twingrad.train import curves
from twingrad.tune.result import Search
from twingrad.tune.scales import Choice, Integers, LogUniform, OneMinusLogUniform

COLUMNS = 4
CHARACTERS = 24
"""So many of the names of choices stand side by side; more are turned."""
PAD = 0.12
"""Inches beside each panel, so that labels at the ends of its axis and of the next one's stay apart."""
BEST = "#c0392b"


def importance_png(found: Search) -> bytes | None:
    """A bar for each hyperparameter, the most important on top; None without matplotlib or where nothing is known."""
    shares = found.importance()
    if not curves.available() or not shares:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 1.2 + 0.35 * len(shares)), dpi=120, layout="constrained")
    axes = figure.subplots()
    names = list(shares)[::-1]
    axes.barh(names, [shares[name] for name in names], color=curves.DEV)
    for place, name in enumerate(names):
        axes.text(shares[name], place, f" {shares[name]:.0%}", va="center", fontsize=9)
    axes.set_xlim(0, 1.15 * max(shares.values()))
    axes.set_xlabel("importance")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def slices_png(found: Search, metric: str = "value") -> bytes | None:
    """The value of each trial over each hyperparameter, later trials darker; None without matplotlib or trials.

    Pruned and diverged trials are crosses, at their last report and at the worst of all values.
    """
    known = found.known
    if not curves.available() or not known:
        return None
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(COLUMNS, len(found.space))
    rows = math.ceil(len(found.space) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.8 * rows), dpi=120, layout=ConstrainedLayoutEngine(w_pad=PAD))
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel in panels[len(found.space) :]:
        panel.set_visible(False)
    for panel, (name, scale) in zip(panels, found.space.items(), strict=False):
        _slice(panel, found, name, scale)
    for panel in panels[::columns]:
        panel.set_ylabel(metric)
    figure.legend(handles=_handles(found), loc="outside lower center", ncols=min(3, columns), frameon=False, fontsize=9)
    return _png(figure)


def _handles(found: Search) -> list[Any]:
    """What the marks mean, of those that are drawn."""
    from matplotlib.lines import Line2D

    complete, lost = found.ranked, [trial for trial, _ in found.known if trial.value is None]
    marks = {
        "complete, later ones darker": {"marker": "o", "color": curves.DEV} if complete else None,
        "given up or diverged": {"marker": "x", "color": curves.DEV} if lost else None,
        "the best": {"marker": "o", "markersize": 9, "color": BEST, "markerfacecolor": "none"} if complete else None,
    }
    return [Line2D([], [], linestyle="none", label=label, **mark) for label, mark in marks.items() if mark]


def _slice(panel: Any, found: Search, name: str, scale: Any) -> None:
    for marker, complete in (("o", True), ("x", False)):
        chosen = [(trial, value) for trial, value in found.known if (trial.value is not None) == complete]
        at = [scale.inner(trial.values[name]) for trial, _ in chosen]
        if isinstance(scale, Choice):
            at = [scale.values.index(value) for value in at]
        shade = {"c": [trial.index for trial, _ in chosen], "cmap": "Blues"}
        ends = {"vmin": -len(found) / 2, "vmax": len(found)}
        panel.scatter(at, [value for _, value in chosen], marker=marker, s=22, **shade, **ends)
    if found.ranked:
        best = scale.inner(found.best.values[name])
        place = scale.values.index(best) if isinstance(scale, Choice) else best
        panel.scatter([place], [found.best.value], s=70, facecolors="none", edgecolors=BEST, linewidths=1.4)
    if isinstance(scale, Choice):
        names = [str(value) for value in scale.values]
        panel.set_xticks(range(len(names)), names, rotation=30 * (sum(map(len, names)) > CHARACTERS))
        panel.set_xlim(-0.5, len(names) - 0.5)
    elif isinstance(scale, LogUniform | OneMinusLogUniform) or getattr(scale, "log", False):
        panel.set_xscale("log")
    if isinstance(scale, Integers):
        panel.minorticks_off()
        panel.set_xticks(scale.grid(5), [str(value) for value in scale.grid(5)])
    panel.set_xlabel(scale.label(name))
    panel.spines[["top", "right"]].set_visible(False)


def _png(figure: Any) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
