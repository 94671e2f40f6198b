"""What is measured for each task, a chunk of outputs at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twingrad.data import Preprocessing

WORST = (-math.inf, -math.inf)
"""The score of a loss that is not finite: never the best."""


@dataclass(frozen=True)
class Evaluation:
    """The mean loss over the examples, and what else the task measures; `evaluation.accuracy` and so on reach it.

    metrics: "accuracy" of classes, the share whose label is predicted; for labels "accuracy" over all labels and
    "exact_match" over examples, and "accuracy_of" each label; for a regression "r2", "rmse" and "mae" in the targets'
    own units (the mean over the targets; loss is that of the scaled targets).

    >>> Evaluation(0.5, {"accuracy": 0.75}).accuracy
    0.75
    """

    loss: float
    metrics: dict[str, float] = field(default_factory=dict)
    by_label: tuple[float, ...] = ()

    def __getattr__(self, name: str) -> float:
        metrics = self.__dict__.get("metrics", {})
        if name not in metrics:
            raise AttributeError(f"this evaluation has no {name}; it has loss{''.join(f', {m}' for m in metrics)}")
        found: float = metrics[name]
        return found

    @property
    def score(self) -> tuple[float, float]:
        """What is compared to find the best: accuracy, then loss; for a regression the loss. Larger is better."""
        if not math.isfinite(self.loss):
            return WORST
        return (self.metrics.get("accuracy", 0.0), -self.loss)

    def to_dict(self) -> dict[str, float | None]:
        """Loss and metrics as plain values; None for what is not finite."""
        return {name: plain(value) for name, value in {"loss": self.loss, **self.metrics}.items()}


def plain(value: float) -> float | None:
    """A number for JSON: None where it is not finite."""
    return value if math.isfinite(value) else None


class Meter(Protocol):
    """Takes outputs (B, ...) and targets (B, ...) chunk by chunk."""

    def update(self, outputs: NDArray[Any], y: NDArray[Any]) -> None:
        """Count a chunk."""

    def result(self, loss: float) -> Evaluation:
        """The evaluation of all of them."""


class Hits:
    """The share of examples whose class is predicted: the largest logit, or for one logit its sign."""

    def __init__(self) -> None:
        self.hits, self.n = 0, 0

    def update(self, outputs: NDArray[Any], y: NDArray[Any]) -> None:
        """Count the hits."""
        found = outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        self.hits += int(np.count_nonzero(found == y.reshape(-1)))
        self.n += len(y)

    def result(self, loss: float) -> Evaluation:
        """Accuracy."""
        return Evaluation(loss, {"accuracy": self.hits / self.n})


class LabelHits:
    """The share of labels that are right, of each label too, and of examples with all labels right.

    Of the labels that are there: a NaN is none. A label that no example has is NaN.
    """

    def __init__(self) -> None:
        self.hits: Any = 0
        self.present: Any = 0
        self.exact, self.n = 0, 0

    def update(self, outputs: NDArray[Any], y: NDArray[Any]) -> None:
        """Count the hits."""
        present = y == y
        right = ((outputs > 0) == (y != 0)) & present
        self.hits, self.present = self.hits + right.sum(axis=0), self.present + present.sum(axis=0)
        self.exact += int((right | ~present).all(axis=1).sum())
        self.n += len(y)

    def result(self, loss: float) -> Evaluation:
        """Accuracy over all labels, exact match, accuracy by label."""
        pairs = zip(self.hits.tolist(), self.present.tolist(), strict=True)
        shares = [hits / present if present else math.nan for hits, present in pairs]
        metrics = {"accuracy": int(self.hits.sum()) / int(self.present.sum()), "exact_match": self.exact / self.n}
        return Evaluation(loss, metrics, tuple(shares))


class Errors:
    """R2, root mean squared error and mean absolute error in the targets' own units, each averaged over the targets.

    R2 = 1 - sum (y - p)^2 / sum (y - mean)^2; the second sum is gathered by chunks as Chan, Golub and LeVeque 1983 do.
    It is NaN for constant targets.
    """

    def __init__(self, preprocessing: Preprocessing | None) -> None:
        self.preprocessing = preprocessing
        self.n = 0
        self.squares: Any = 0.0
        self.absolutes: Any = 0.0
        self.mean: Any = 0.0
        self.spread: Any = 0.0

    def update(self, outputs: NDArray[Any], y: NDArray[Any]) -> None:
        """Add the errors of a chunk; y in its own units."""
        y = y.reshape(len(y), -1).astype(np.float64)
        found = self.preprocessing.invert_targets(outputs) if self.preprocessing else outputs.astype(np.float64)
        away = found.reshape(y.shape) - y
        self.squares = self.squares + (away * away).sum(axis=0)
        self.absolutes = self.absolutes + np.abs(away).sum(axis=0)
        mean, count = y.mean(axis=0), self.n + len(y)
        shift = mean - self.mean
        self.spread = self.spread + ((y - mean) ** 2).sum(axis=0) + shift * shift * (self.n * len(y) / count)
        self.mean, self.n = self.mean + shift * (len(y) / count), count

    def result(self, loss: float) -> Evaluation:
        """R2, RMSE, MAE."""
        with np.errstate(invalid="ignore", divide="ignore"):
            r2 = np.where(self.spread > 0, 1 - self.squares / self.spread, np.nan).mean()
        rmse, mae = np.sqrt(self.squares / self.n).mean(), (self.absolutes / self.n).mean()
        return Evaluation(loss, {"r2": float(r2), "rmse": float(rmse), "mae": float(mae)})
