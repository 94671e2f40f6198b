"""The learning curves of a run as a picture. matplotlib (extra `plot`) is imported only here, and only when asked."""

from __future__ import annotations

import importlib.util
import io
import math
from typing import Any

from twingrad.train.history import History

INSTALL = "pip install 'twingrad[plot]'"
TRAIN, DEV, QUIET = "#8c8c8c", "#1f6fb4", "#555555"
PERCENT = ("accuracy",)
LABELS = {"loss": "loss (log scale)", "r2": "R2"}


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def png(history: History, title: str) -> bytes | None:
    """Loss and what the task measures first, over the epochs, as a PNG; None without matplotlib or two records to join.

    The same bytes for the same history.
    """
    if not available() or len(history) < 2:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    figure.suptitle(f"{title}: {history[-1].epoch} epochs on {history.device}", fontsize=12)
    loss, metric = figure.subplots(1, 2)
    _panel(loss, history, "loss")
    _panel(metric, history, next(iter(history[0].train.metrics), "loss"))
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _panel(axes: Any, history: History, quantity: str) -> None:
    from matplotlib.ticker import MaxNLocator

    by_epoch = len({record.epoch for record in history}) == len(history)
    at = [record.epoch if by_epoch else record.step for record in history]
    for part, colour in (("train", TRAIN), ("dev", DEV)):
        values = [getattr(record, f"{part}_{quantity}") for record in history]
        if None not in values:
            axes.plot(at, values, color=colour, linewidth=1.6, label=part)
    if _finite(history, quantity):
        _mark_best(axes, history, quantity, by_epoch)
        _scale(axes, history, quantity)
    else:
        axes.text(0.5, 0.5, f"the {quantity} is not finite", ha="center", va="center", transform=axes.transAxes)
    axes.set_xlim(at[0], at[-1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch" if by_epoch else "updates")
    axes.set_ylabel(LABELS.get(quantity, quantity))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _finite(history: History, quantity: str) -> list[float]:
    measured = [getattr(record, f"{part}_{quantity}") for record in history for part in ("train", "dev")]
    return sorted(value for value in measured if value is not None and math.isfinite(value))


def _mark_best(axes: Any, history: History, quantity: str, by_epoch: bool) -> None:
    best = history.best
    if best is None:
        return
    value = getattr(best, f"{'train' if best.dev is None else 'dev'}_{quantity}")
    shown = f"{value:.2%}" if quantity in PERCENT else f"{value:.4f}"
    at = best.epoch if by_epoch else best.step
    label = f"best: {'epoch' if by_epoch else 'update'} {at}, {LABELS.get(quantity, quantity).split(' (')[0]} {shown}"
    style = {"color": DEV, "markersize": 6, "markeredgecolor": "white", "zorder": 3, "clip_on": False}
    axes.plot([at], [value], "o", label=label, **style)


def _scale(axes: Any, history: History, quantity: str) -> None:
    """Losses fall over decades; accuracy and R2 matter near their top, so the first epochs may leave the picture."""
    if quantity == "loss":
        axes.set_yscale("log")
        return
    values = _finite(history, quantity)
    if quantity in PERCENT:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    low = values[len(values) // 20]
    axes.set_ylim(low - 0.1 * (1 - low) - 0.01, 1.003)
