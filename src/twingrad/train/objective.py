"""What a task asks for: the loss, the targets as it takes them, and what is measured."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import functional as F
from twingrad.data import Preprocessing
from twingrad.train.losses import AUTO, LOSSES, Loss, loss_name
from twingrad.train.metrics import Errors, Hits, LabelHits, Meter


@dataclass(frozen=True)
class Objective:
    """A task, with a model's outputs in mind.

    task: "multi-class", "binary" (one logit), "multi-label" or "regression".
    name: of the loss. loss: what is trained on, with the weights of classes. plain: what is reported, without weights.
    preprocessing: scales the targets of a regression, and measures it in their own units.
    smoothing: of the labels that are learned from, over so many classes; what is reported has none.
    """

    task: str
    name: str
    loss: Loss
    plain: Loss
    preprocessing: Preprocessing | None = None
    smoothing: float = 0.0
    classes: int = 2

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """The targets as the loss takes them: classes (N,), or (N, K) numbers beside (N, K) outputs."""
        if self.task == "multi-class":
            return y
        if self.task == "regression" and self.preprocessing:
            return self.preprocessing.targets(y)
        return y.reshape(len(y), -1).astype(np.float32 if y.dtype.kind != "f" else y.dtype)

    def learned(self, targets: NDArray[Any], dtype: Any) -> NDArray[Any]:
        """The targets as the loss learns from them: with smoothed labels, of this dtype, where that is asked for."""
        return F.smooth_labels(targets, self.smoothing, self.classes, dtype=dtype) if self.smoothing else targets

    def weight(self, y: NDArray[Any]) -> float:
        """How much a chunk's mean loss counts: by its examples; where labels are missing, by those that are there."""
        if self.task != "multi-label" or y.dtype.kind != "f":
            return len(y)
        return float((y == y).sum() / y.shape[1])

    def meter(self) -> Meter:
        """A new meter for the task."""
        if self.task == "regression":
            return Errors(self.preprocessing)
        return LabelHits() if self.task == "multi-label" else Hits()


def make_objective(
    task: str,
    outputs: int,
    loss: str | Loss = AUTO,
    preprocessing: Preprocessing | None = None,
    class_weight: Any = None,
    label_smoothing: float = 0.0,
) -> Objective:
    """The objective of a task for a model of so many outputs; two logits for a binary task are two classes.

    class_weight: an array as the loss takes it, on the model's device and of its dtype.

    Raises:
        ValueError: a loss that does not suit the task, class weights or smoothed labels for a loss that takes none.
    """
    task = "multi-class" if task == "binary" and outputs != 1 else task
    name = loss_name(loss, task)
    plain = loss if callable(loss) else LOSSES[name]
    if class_weight is not None and (callable(loss) or task == "regression"):
        raise ValueError(f"fit: class_weight suits the cross-entropies; the loss is {name!r}")
    if label_smoothing and (callable(loss) or task == "regression"):
        raise ValueError(f"fit: label_smoothing does not apply to the loss {name!r}; it suits the cross-entropies")
    weighted: Callable[..., Any] = plain
    if class_weight is not None:
        weighted = functools.partial(plain, class_weight=class_weight)
    classes = outputs if task == "multi-class" else 2
    return Objective(task, name, weighted, plain, preprocessing, label_smoothing, classes)
