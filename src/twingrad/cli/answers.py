"""A model's answers as rows of CSV or lines of JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from twingrad.train.predict import decided, probabilities

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
    Numbers are written so that they read back as the same float64; in JSON, which has no NaN and infinity, these are
    null.
    """

    def __init__(self, model: Any, with_probabilities: bool, top_k: int) -> None:
        self.model, self.pre, self.with_probabilities = model, model.preprocessing, with_probabilities
        self.task = self.pre.task
        if self.task == "regression" and (with_probabilities or top_k):
            raise ValueError("--probabilities and --top-k need classes or labels; this model is of a regression")
        self.top_k = min(top_k, len(self.pre.classes))
        self.names = self._names()
        self.row = 0

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
            self.row += len(outputs)
            found, p = self._predictions(outputs), self._probabilities(outputs)
            for number, prediction in enumerate(found):
                row = list(prediction)
                row += [repr(float(value)) for value in p[number]] if self.with_probabilities else []
                row += [cell for name, chance in self._top(p, number) for cell in (name, repr(chance))]
                writer.writerow(row)
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
                    line["top"] = [{"class": name, "probability": chance} for name, chance in self._top(p, number)]
                file.write(json.dumps(finite(line), ensure_ascii=False, allow_nan=False) + "\n")
            self.row += len(found)
            return len(found)

        return write

    def _labels(self) -> bool:
        return bool(self.task == "multi-label")

    def _predictions(self, outputs: NDArray[Any]) -> list[list[Any]]:
        found = decided(outputs, self.model)
        if self.task in ("binary", "multi-class"):
            return [[self.pre.classes[number]] for number in found.tolist()]
        rows: list[list[Any]] = found.tolist()
        return rows

    def _probabilities(self, outputs: NDArray[Any]) -> Any:
        return probabilities(outputs, self.model) if self.with_probabilities or self.top_k else None

    def _top(self, p: Any, number: int) -> list[tuple[str, float]]:
        """The most probable classes or labels of an example; of equals the first."""
        if not self.top_k:
            return []
        order = np.argsort(-p[number], kind="stable")[: self.top_k]
        return [(self.pre.classes[place], float(p[number, place])) for place in order]
