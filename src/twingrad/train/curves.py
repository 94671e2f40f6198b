"""The learning curves of a run as a picture. matplotlib (extra `plot`) is imported only here, and only when asked."""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from twingrad.train.history import History

INSTALL = "pip install 'twingrad[plot]'"
TRAIN, DEV, QUIET = "#8c8c8c", "#1f6fb4", "#555555"


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def png(history: History, title: str) -> bytes | None:
    """Loss and accuracy over the epochs as a PNG; None without matplotlib, or without two epochs to join."""
    if not available() or len(history) < 2:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    figure.suptitle(f"{title}: {len(history)} epochs on {history.device}", fontsize=12)
    loss, accuracy = figure.subplots(1, 2)
    _panel(loss, history, "loss")
    _panel(accuracy, history, "accuracy")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _panel(axes: Any, history: History, quantity: str) -> None:
    epochs = [record.epoch for record in history]
    for part, colour in (("train", TRAIN), ("dev", DEV)):
        values = [getattr(record, f"{part}_{quantity}") for record in history]
        if None not in values:
            axes.plot(epochs, values, color=colour, linewidth=1.6, label=part)
    _mark_best(axes, history, quantity)
    _scale(axes, history, quantity)
    axes.set_xlim(1, len(epochs))
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (log scale)" if quantity == "loss" else "accuracy")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _mark_best(axes: Any, history: History, quantity: str) -> None:
    best = history.best
    if best is None:
        return
    value = getattr(best, f"{'train' if best.dev_loss is None else 'dev'}_{quantity}")
    shown = f"{value:.4f}" if quantity == "loss" else f"{value:.2%}"
    label = f"best: epoch {best.epoch}, {quantity} {shown}"
    axes.plot(
        [best.epoch],
        [value],
        "o",
        color=DEV,
        markersize=6,
        markeredgecolor="white",
        label=label,
        zorder=3,
        clip_on=False,
    )


def _scale(axes: Any, history: History, quantity: str) -> None:
    """Loss falls over decades; accuracy matters near its top, so the first epochs may leave the picture."""
    if quantity == "loss":
        axes.set_yscale("log")
        return
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    values = sorted(value for record in history for value in (record.train_accuracy, record.dev_accuracy or 1.0))
    low = values[len(values) // 20]
    axes.set_ylim(max(0.0, low - 0.1 * (1 - low) - 0.01), 1.003)
