"""Learning curves: errors of train and dev against the number of training examples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad import nn
from twingrad.analysis.table import aligned, percent
from twingrad.data import Dataset, Splits
from twingrad.data.splitting import order_of
from twingrad.train.evaluate import evaluate
from twingrad.train.fit import fit

SIZES = (0.1, 0.325, 0.55, 0.775, 1.0)


@dataclass(frozen=True)
class LearningCurve:
    """Errors by the number of training examples; `str` of it is a table of their means.

    sizes: (S,). train, dev: (R, S), of each repetition. measure: "error", 1 - accuracy, or "rmse" for a regression.
    """

    sizes: NDArray[np.int64]
    train: NDArray[np.float64]
    dev: NDArray[np.float64]
    measure: str

    def __str__(self) -> str:
        shown: Callable[[float], str] = percent if self.measure == "error" else lambda value: f"{value:.4g}"
        rows = [["examples", f"train {self.measure}", f"dev {self.measure}", "gap"]]
        for size, train, dev in zip(self.sizes, self.train.mean(axis=0), self.dev.mean(axis=0), strict=True):
            rows.append([str(size), shown(train), shown(dev), shown(dev - train)])
        return "\n".join(aligned(rows, left=0))


def learning_curve(
    make: Callable[[int], Any],
    data: Splits,
    *,
    sizes: Sequence[float] = SIZES,
    repeats: int = 1,
    seed: int = 0,
    batch_size: int = 64,
    optimizer: Any = "adam",
    **options: Any,
) -> LearningCurve:
    """Train a new model on ever more of the train part, and measure it on what it learned from and on the dev part.

    A train error that rises towards the dev error as examples are added, both above what is wanted, asks for less bias;
    a gap that stays asks for more data.
    make(seed): a new model. sizes: shares of the train part as floats, counts as ints. Smaller parts lie within larger
    ones, and have their share of each class, as those of `Dataset.split`. repeats: with the seeds seed, seed + 1, ...,
    of the model, the choice of the examples and the shuffles. batch_size: at most the size of the part.
    optimizer: a name, or an optimizer that has no model yet, of which each model gets a copy.
    options: of `fit`, such as epochs; with keep="last" the dev part chooses nothing.

    Raises TypeError for a model in place of `make`, and data that are not split; ValueError for no dev part, sizes out
    of range, a part of one class alone.

    >>> from twingrad import data, nn
    >>> digits = data.load("digits").split(seed=0)
    >>> make = lambda seed: nn.Sequential(nn.Linear(64, 10), seed=seed)
    >>> curve = learning_curve(make, digits, sizes=[50, 1.0], epochs=5)
    >>> curve.sizes.tolist(), bool(curve.dev[0, 1] < curve.dev[0, 0])
    ([50, 1078], True)
    """
    if isinstance(make, nn.Module) or not callable(make):
        raise TypeError(f"learning_curve: make is a function of a seed that gives a new model; got {make!r}")
    if not isinstance(data, Splits):
        raise TypeError(f"learning_curve: data are the parts that Dataset.split makes; got {type(data).__name__}")
    if not len(data.dev) or repeats < 1:
        got = f"{len(data.dev)} dev examples and repeats={repeats}"
        raise ValueError(f"learning_curve: a dev part is needed, and at least one repetition; got {got}")
    counts = [_count(size, len(data.train)) for size in sizes]
    if not counts or sorted(set(counts)) != counts:
        told = "a float is a share, an int a count, so that 1.0 is all and 1 is one"
        raise ValueError(f"learning_curve: sizes must grow ({told}); got {list(sizes)}")
    options |= {"optimizer": optimizer}
    runs = [[_errors(make, data, count, seed + r, batch_size, options) for count in counts] for r in range(repeats)]
    found = np.asarray(runs)
    measure = "rmse" if data.train.task == "regression" else "error"
    return LearningCurve(np.asarray(counts), found[:, :, 0], found[:, :, 1], measure)


def _count(size: float, of: int) -> int:
    whole = round(size * of) if isinstance(size, float | np.floating) else int(size)
    if not 1 <= whole <= of or (isinstance(size, float) and size > 1):
        raise ValueError(
            f"learning_curve: a size is a share in (0.0, 1.0] or a count of 1 to {of} examples; got {size}"
        )
    return whole


def _errors(
    make: Callable[[int], Any], data: Splits, count: int, seed: int, batch_size: int, options: dict[str, Any]
) -> tuple[float, float]:
    classed = data.train.task in ("binary", "multi-class")
    part = data.train.take(np.sort(order_of(data.train.y, seed, classed)[:count]))
    if classed and len(np.unique(part.y)) < 2:
        raise ValueError(f"learning_curve: {count} training examples hold one class alone; begin with more")
    model, own = make(seed), options | {"optimizer": copy.deepcopy(options["optimizer"])}
    fit(model, part, dev=data.dev, seed=seed, batch_size=min(batch_size, count), **own)
    return _error(model, part), _error(model, data.dev)


def _error(model: Any, data: Dataset) -> float:
    found = evaluate(model, data)
    return found.rmse if data.task == "regression" else 1.0 - found.accuracy
