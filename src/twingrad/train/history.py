"""What a training run was like, evaluation by evaluation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twingrad.train.metrics import WORST, Evaluation, plain

PARTS = ("train", "dev")


@dataclass(frozen=True)
class Record:
    """One evaluation: of the train part and, where there is one, of the dev part, in evaluation mode.

    epoch: the one that ended or goes on, from 1. step: updates so far. lr: of the last update. seconds: since the
    evaluation before; it is not written into files, so that a run gives the same bytes each time.
    `record.dev_accuracy`, `record.train_loss` and the like reach the measurements; dev's are None without a dev part.
    """

    epoch: int
    step: int
    lr: float
    train: Evaluation
    dev: Evaluation | None = None
    seconds: float = field(default=0.0, compare=False)

    def __getattr__(self, name: str) -> Any:
        part, _, metric = name.partition("_")
        if part not in PARTS or not metric:
            raise AttributeError(f"Record has no attribute {name!r}")
        found = self.__dict__[part]
        return None if found is None else getattr(found, metric)

    def __str__(self) -> str:
        chosen, part = (self.train, "train") if self.dev is None else (self.dev, "dev")
        name = "accuracy" if "accuracy" in chosen.metrics else "loss"
        return f"epoch {self.epoch}, {part} {name} {shown(name, getattr(chosen, name))}"

    @property
    def score(self) -> tuple[float, float]:
        """What is compared to find the best: of the dev part, or of train without one; see `Evaluation.score`."""
        return (self.train if self.dev is None else self.dev).score

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in a line of history.jsonl: epoch, step, lr, train_loss, ..., dev_loss, ..."""
        found: dict[str, Any] = {"epoch": self.epoch, "step": self.step, "lr": plain(self.lr)}
        for part in PARTS:
            measured = self.__dict__[part]
            if measured is not None:
                found |= {f"{part}_{name}": value for name, value in measured.to_dict().items()}
        return found

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Record:
        """The record of such a line; what was not finite is NaN."""
        numbers = {name: math.nan if value is None else value for name, value in found.items()}
        parts = [_evaluation(part, numbers) for part in PARTS]
        if parts[0] is None:
            raise ValueError("a record needs train_loss")
        return cls(int(numbers["epoch"]), int(numbers["step"]), numbers["lr"], parts[0], parts[1])


HEADINGS = {"exact_match": "exact match", "r2": "R2", "rmse": "RMSE", "mae": "MAE"}


def shown(name: str, value: float) -> str:
    """A loss or a metric as people read it; R2 of a constant target, or hits among no labels, are undefined.

    >>> shown("loss", 0.28439), shown("loss", 0.00042137), shown("loss", 380268597.0), shown("accuracy", 0.9417)
    ('0.2844', '0.00042', '3.803e+08', '94.17%')
    """
    if not math.isfinite(value):
        return "not finite" if name == "loss" else "undefined"
    if name in ("accuracy", "exact_match"):
        return f"{value:.2%}"
    if name not in ("loss", "r2") or abs(value) >= 1000:
        return f"{value:.4g}"
    return f"{value:.4f}" if abs(value) >= 0.01 or not value else f"{value:.2g}"


@dataclass(repr=False)
class History:
    """The records of a run, in order, and how it ran.

    Attributes:
        records: one `Record` for each evaluation; `history[-1]`, `len(history)` and iteration reach them.
        device: where the model was trained.
        path: "fused", or which operations took the reference path, and why.
        step: "captured", or "eager" with the reason.
        data: where the training data were: in memory, resident on a GPU, or streamed, and why.
        seconds: wall-clock time of training and evaluation, since the run began or was resumed.
        interrupted: whether Ctrl-C or SIGTERM ended it.
        diverged: what was not finite, where that ended it; else "".

    >>> History([Record(1, 10, 0.01, Evaluation(2.0, {"accuracy": 0.5}))])
    History(1 records; best epoch 1, train accuracy 50.00%; cpu, fused, eager, 0.0 s)
    """

    records: list[Record] = field(default_factory=list)
    device: str = "cpu"
    path: str = "fused"
    step: str = "eager"
    data: str = "in memory"
    seconds: float = 0.0
    interrupted: bool = False
    diverged: str = ""

    def __repr__(self) -> str:
        how = f"{self.device}, {self.path}, {self.step}, {self.seconds:.1f} s"
        how += ", interrupted" * self.interrupted + ", diverged" * bool(self.diverged)
        return f"History({len(self)} records{f'; best {self.best}' if self.best else ''}; {how})"

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    @property
    def best(self) -> Record | None:
        """The first record with the best score; None where no loss is finite."""
        finite = (record for record in self.records if record.score > WORST)
        return max(finite, key=lambda record: record.score, default=None)

    def to_jsonl(self) -> str:
        """A line of standard JSON for each record; what is not finite is null."""
        return "".join(line(record) for record in self.records)

    @classmethod
    def read(cls, path: str | Path) -> History:
        """The records of a history.jsonl file, also while it is being written: a torn last line is left out.

        Raises:
            OSError: there is no such file.
            ValueError: another line than the last is no record; with its number.
        """
        lines = Path(path).read_bytes().splitlines(keepends=True)
        records = []
        for number, text in enumerate(lines, 1):
            try:
                records.append(Record.from_dict(json.loads(text)))
            except (ValueError, KeyError, TypeError) as error:
                if number == len(lines) and not text.endswith(b"\n"):
                    break
                raise ValueError(f"{path}, line {number}: no record of a history: {text[:60]!r}") from error
        return cls(records)


def line(record: Record) -> str:
    """The record as a line of history.jsonl."""
    return json.dumps(record.to_dict(), allow_nan=False) + "\n"


def _evaluation(part: str, numbers: dict[str, Any]) -> Evaluation | None:
    found = {name.removeprefix(f"{part}_"): value for name, value in numbers.items() if name.startswith(f"{part}_")}
    return Evaluation(found.pop("loss"), found) if "loss" in found else None
