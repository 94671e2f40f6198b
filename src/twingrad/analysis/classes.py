"""Precision, recall and F1 of each class, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.analysis.intervals import LEVEL, Interval, wilson
from twingrad.analysis.table import aligned, flags, host, percent
from twingrad.data import check_labels
from twingrad.functional.checks import integer

SHOWN = 20
"""Of so many classes the confusion matrix is shown."""


def f1_score(precision: float, recall: float) -> float:
    """2 / (1/P + 1/R), the harmonic mean, which is small where either is; NaN where both are 0.

    >>> round(f1_score(0.95, 0.90), 9), round(f1_score(0.98, 0.85), 9)
    (0.924324324, 0.910382514)
    """
    for name, value in (("precision", precision), ("recall", recall)):
        if not 0 <= value <= 1:
            raise ValueError(f"f1_score: {name} is a share in [0, 1]; got {value}")
    return 2 * precision * recall / (precision + recall) if precision + recall else float("nan")


def confusion_matrix(y: Any, predicted: Any, classes: int | None = None) -> NDArray[np.int64]:
    """(C, C): how many examples of class i (the row) are taken for class j (the column).

    y, predicted: (N,) integers in [0, C). classes: C; by default one more than the largest of both.

    Raises TypeError for floats, ValueError for shapes that differ, labels out of range.

    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 1, 0]])
    """
    y, predicted = _classes(host(y), host(predicted))
    largest = int(max(y.max(initial=-1), predicted.max(initial=-1)))
    count = largest + 1 if classes is None else integer("confusion_matrix: classes", classes)
    for who, labels in (("y", y), ("predicted", predicted)):
        check_labels(labels, count, f"confusion_matrix: {who}")
    return np.bincount(y * count + predicted, minlength=count * count).reshape(count, count).astype(np.int64)


@dataclass(frozen=True)
class ClassReport:
    """Counts of each class (or label), and what follows from them; `str` of it is a table.

    classes: their names. n: all examples. hits: (C,), examples of the class that were taken for it; predicted: all that
    were taken for it; support: all that are of it. right: examples with all right. level: of the intervals.
    confusion: see `confusion_matrix`; None for labels. Rates over nothing are NaN.
    """

    classes: tuple[str, ...]
    n: int
    hits: NDArray[np.int64]
    predicted: NDArray[np.int64]
    support: NDArray[np.int64]
    right: int
    level: float
    confusion: NDArray[np.int64] | None = None

    @property
    def precision(self) -> NDArray[np.float64]:
        """(C,): of what was taken for the class the share that is of it."""
        return _share(self.hits, self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """(C,): of what is of the class the share that was taken for it."""
        return _share(self.hits, self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """(C,): the harmonic mean of precision and recall, 2 hits / (predicted + support)."""
        return _share(2 * self.hits, self.predicted + self.support)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that are there or were predicted, each with the same weight; NaN of none."""
        known = self.f1[~np.isnan(self.f1)]
        return float(known.mean()) if known.size else float("nan")

    @property
    def accuracy(self) -> Interval:
        """The share of examples that are right (of labels: in all of them), with its interval."""
        return wilson(self.right, self.n, level=self.level)

    @property
    def error(self) -> Interval:
        """1 - accuracy."""
        return wilson(self.n - self.right, self.n, level=self.level)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, None where a rate is over nothing."""
        rates = {"precision": (self.hits, self.predicted), "recall": (self.hits, self.support)}
        each: dict[str, dict[str, Any]] = {}
        for i, name in enumerate(self.classes):
            found: dict[str, Any] = {"examples": int(self.support[i]), "f1": _plain(self.f1[i])}
            for rate, (part, whole) in rates.items():
                interval = self._interval(int(part[i]), int(whole[i]))
                found[rate] = None if interval is None else interval.rate
                found[f"{rate}_interval"] = None if interval is None else [interval.low, interval.high]
            each[name] = found
        ends, right = self.accuracy, "exact_match" if self.confusion is None else "accuracy"
        told = {f"{right}_interval": [ends.low, ends.high], "macro_f1": _plain(self.macro_f1), "classes": each}
        return told if self.confusion is None else told | {"confusion": self.confusion.tolist()}

    def __str__(self) -> str:
        rows = [["class", "examples", "precision", "recall", "F1"]]
        for i, name in enumerate(self.classes):
            of = ((self.hits[i], self.predicted[i]), (self.hits[i], self.support[i]))
            rates = [str(self._interval(int(part), int(whole)) or "undefined") for part, whole in of]
            rows.append([name, str(self.support[i]), *rates, percent(float(self.f1[i]))])
        right = "accuracy" if self.confusion is not None else "all labels right"
        lines = [*aligned(rows), f"{right} {self.accuracy}, macro F1 {percent(self.macro_f1)}"]
        return "\n".join(lines + self._confusion_lines())

    def _confusion_lines(self) -> list[str]:
        if self.confusion is None or len(self.classes) > SHOWN:
            return []
        rows = [["is / taken for", *self.classes]]
        rows += [[name, *map(str, row)] for name, row in zip(self.classes, self.confusion.tolist(), strict=True)]
        return ["", *aligned(rows)]

    def _interval(self, part: int, whole: int) -> Interval | None:
        return wilson(part, whole, level=self.level) if whole else None


def class_report(y: Any, predicted: Any, classes: Sequence[str] = (), *, level: float = LEVEL) -> ClassReport:
    """Precision, recall, F1 and their Wilson intervals for each class.

    y, predicted: (N,) integers, or (N, K) of 0 and 1 for K labels, where NaN in y is a missing label, not counted.
    classes: their names; by default their numbers.

    Raises TypeError for classes that are floats; ValueError for no examples, shapes that differ, labels out of range,
    names that are not K.

    >>> print(class_report([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], ["cat", "dog"]))
    class  examples                precision                   recall      F1
    cat           2      50% [9.45%, 90.55%]      50% [9.45%, 90.55%]     50%
    dog           3  66.67% [20.77%, 93.85%]  66.67% [20.77%, 93.85%]  66.67%
    accuracy 60% [23.07%, 88.24%], macro F1 58.33%
    <BLANKLINE>
    is / taken for  cat  dog
    cat               1    1
    dog               1    2
    """
    y, predicted = host(y), host(predicted)
    if y.shape != predicted.shape or y.ndim not in (1, 2):
        raise ValueError(
            f"class_report: y and predicted must both be (N,), or (N, K) labels; got {y.shape}, {predicted.shape}"
        )
    if not len(y):
        raise ValueError("class_report: there are no examples")
    if y.ndim == 2:
        return _label_report(y, predicted, classes, level)
    matrix = confusion_matrix(y, predicted, len(classes) or None)
    names = tuple(classes) or tuple(str(i) for i in range(len(matrix)))
    hits = np.diagonal(matrix)
    return ClassReport(names, len(y), hits, matrix.sum(axis=0), matrix.sum(axis=1), int(hits.sum()), level, matrix)


def _label_report(y: NDArray[Any], predicted: NDArray[Any], classes: Sequence[str], level: float) -> ClassReport:
    names = tuple(classes) or tuple(str(i) for i in range(y.shape[1]))
    if len(names) != y.shape[1]:
        raise ValueError(f"class_report: {y.shape[1]} labels need so many names; got {len(names)}")
    there = y == y
    of, taken = flags("class_report: labels of y", np.where(there, y, 0)), flags("class_report: predicted", predicted)
    right = int(((of == taken) | ~there).all(axis=1).sum())
    hits, positive = (of & taken).sum(axis=0), (taken & there).sum(axis=0)
    return ClassReport(names, len(y), hits, positive, of.sum(axis=0), right, level)


def _classes(*arrays: NDArray[Any]) -> list[NDArray[np.int64]]:
    if any(array.size and array.dtype.kind not in "iub" for array in arrays):
        raise TypeError(f"classes are integers; got {' and '.join(str(array.dtype) for array in arrays)}")
    if arrays[0].shape != arrays[1].shape or arrays[0].ndim != 1:
        raise ValueError(f"y and predicted must both be (N,); got {arrays[0].shape}, {arrays[1].shape}")
    return [array.astype(np.int64) for array in arrays]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
    return found


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
