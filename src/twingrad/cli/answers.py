"""A model's answers as rows of CSV or lines of JSON."""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from twingrad.train.predict import decided, probabilities

LISTED = 5
"""So many rows without a prediction are named."""
Write = Callable[[NDArray[Any]], int]


def finite(value: Any) -> Any:
    """`value` with None for each NaN and infinity in it.

    >>> finite({"row": 0, "prediction": [1.5, float("nan")]})
    {'row': 0, 'prediction': [1.5, None]}
    """
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Answers:
    """What is written about each example.

    CSV: "prediction", a class; or a column for each label (0 or 1) or target of a regression. With probabilities a
    column "p(NAME)" for each class or label; with top_k "top1", "p1", "top2", ...
    JSON lines: {"row": 0, "prediction": a class, or an object by label or target, "probabilities": {}, "top": []}.
    Numbers are written so that they read back as the same float64. Where the model's outputs are not finite nothing
    is predicted: empty cells, in JSON null; `warn` tells how many and which.
    """

    def __init__(self, model: Any, with_probabilities: bool, top_k: int) -> None:
        self.model, self.pre, self.with_probabilities = model, model.preprocessing, with_probabilities
        self.task = self.pre.task
        if self.task == "regression" and (with_probabilities or top_k):
            raise ValueError("--probabilities and --top-k need classes or labels; this model is of a regression")
        if top_k > len(self.pre.classes):
            raise ValueError(f"--top-k must not exceed the model's {len(self.pre.classes)} classes; got {top_k}")
        self.top_k = top_k
        self.names = self._names()
        self.row = 0
        self.lost, self.first_lost = 0, list[int]()

    def _names(self) -> tuple[str, ...]:
        """Of the columns of the prediction."""
        if self.task == "multi-label":
            return tuple(self.pre.classes)
        count = len(self.pre.target_shift)
        if self.task == "regression" and count > 1:
            given: tuple[str, ...] = self.pre.target_names
            return given or tuple(f"prediction{number}" for number in range(count))
        return ("prediction",)

    def csv(self, file: TextIO) -> Write:
        """A function that writes the rows of a batch of outputs, the header before the first."""
        writer = csv.writer(file, lineterminator="\n")
        chances = [f"p({name})" for name in self.pre.classes] if self.with_probabilities else []
        tops = [name for k in range(1, self.top_k + 1) for name in (f"top{k}", f"p{k}")]

        def write(outputs: NDArray[Any]) -> int:
            if not self.row:
                writer.writerow([*self.names, *chances, *tops])
            found, p = self._predictions(outputs), self._probabilities(outputs)
            for number, prediction in enumerate(found):
                row = list(prediction)
                row += p[number].tolist() if self.with_probabilities else []
                row += [cell for pair in self._top(p, number) for cell in pair]
                writer.writerow(finite(row))
            self.row += len(found)
            return len(found)

        return write

    def jsonl(self, file: TextIO) -> Write:
        """A function that writes the lines of a batch of outputs."""

        def write(outputs: NDArray[Any]) -> int:
            found, p = self._predictions(outputs), self._probabilities(outputs)
            for number, prediction in enumerate(found):
                one = (
                    prediction[0]
                    if len(self.names) == 1 != self._labels()
                    else dict(zip(self.names, prediction, strict=True))
                )
                line: dict[str, Any] = {"row": self.row + number, "prediction": one}
                if self.with_probabilities:
                    line["probabilities"] = dict(zip(self.pre.classes, map(float, p[number]), strict=True))
                if self.top_k:
                    top = self._top(p, number)
                    line["top"] = [{"class": name, "probability": chance} for name, chance in top if name is not None]
                file.write(json.dumps(finite(line), ensure_ascii=False, allow_nan=False) + "\n")
            self.row += len(found)
            return len(found)

        return write

    def warn(self) -> None:
        """Say how many examples have no prediction, and which are the first."""
        if self.lost:
            rows = ", ".join(map(str, self.first_lost)) + (", ..." if self.lost > len(self.first_lost) else "")
            text = f"{self.lost} of {self.row} predictions are empty: the model's outputs are not finite (rows {rows})"
            warnings.warn(text, stacklevel=2)

    def _labels(self) -> bool:
        return bool(self.task == "multi-label")

    def _predictions(self, outputs: NDArray[Any]) -> list[list[Any]]:
        """A row for each example; None in all of it where there is no prediction, which is counted."""
        rows: list[list[Any]] = decided(outputs, self.model).tolist()
        if self.task in ("binary", "multi-class"):
            rows = [[self.pre.classes[number]] for number in rows]
        for number in np.flatnonzero(~np.isfinite(outputs).all(axis=1)).tolist():
            rows[number] = [None] * len(self.names)
            self.lost += 1
            self.first_lost += [self.row + number] * (len(self.first_lost) < LISTED)
        return rows

    def _probabilities(self, outputs: NDArray[Any]) -> Any:
        if not (self.with_probabilities or self.top_k):
            return None
        with np.errstate(invalid="ignore"):
            found = probabilities(outputs, self.model)
        found[~np.isfinite(outputs).all(axis=1)] = np.nan
        return found

    def _top(self, p: Any, number: int) -> list[tuple[str | None, float | None]]:
        """The most probable classes or labels of an example, of equals the first; None where that cannot be told."""
        if not self.top_k or not np.isfinite(p[number]).all():
            return [(None, None)] * self.top_k
        order = np.argsort(-p[number], kind="stable")[: self.top_k]
        return [(self.pre.classes[place], float(p[number, place])) for place in order]
