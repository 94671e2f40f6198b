"""A data set in memory: features, labels, the names of its classes, and its split into train, dev and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twingrad.random import permutation, stream_of

SPLIT_STREAM = stream_of("data.split")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and their labels: x (N, D) floating point, y (N,) integers in [0, C).

    Attributes:
        x: (N, D) features, float32 or float64; read-only.
        y: (N,) labels, int64; read-only.
        classes: the C names of the classes; `()` means "0", "1", ... up to the largest label.
        name: what messages and run folders call it.

    Raises:
        TypeError: x is not floating point, y not integers.
        ValueError: shapes differ, x holds NaN or infinity, a label lies outside [0, C).

    >>> data = Dataset(np.zeros((3, 2), np.float32), np.array([0, 1, 1]))
    >>> len(data), data.classes, data
    (3, ('0', '1'), Dataset('data', 3 examples, 2 features, 2 classes))
    """

    x: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...] = ()
    name: str = "data"

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x), np.asarray(self.y)
        _check_arrays(x, y)
        y = y.astype(np.int64, copy=False)
        classes = tuple(self.classes) or tuple(str(label) for label in range(int(y.max(initial=-1)) + 1))
        check_labels(y, len(classes), f"Dataset {self.name!r}")
        for field, value in {"x": _frozen(x), "y": _frozen(y), "classes": classes}.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        n, features = self.x.shape
        return f"Dataset({self.name!r}, {n} examples, {features} features, {len(self.classes)} classes)"

    def take(self, index: slice | NDArray[np.int64]) -> Dataset:
        """The examples at `index` (positions, or a slice), as a new data set with the same classes."""
        return Dataset(self.x[index], self.y[index], self.classes, self.name)

    def split(self, train: float = 0.6, dev: float = 0.2, test: float = 0.2, *, seed: int = 0) -> Splits:
        """Three disjoint parts, stratified: each class keeps its share in each part, to within one example.

        A function of the seed alone. The sizes are the shares of N, rounded; the shares must sum to 1. Each class is
        shuffled and spread evenly over [0, 1); the parts are cut from there, and keep the order of the data set.

        Raises:
            ValueError: a share below 0, shares that do not sum to 1.

        >>> [len(part) for part in Dataset(np.zeros((10, 1)), np.arange(10) % 2).split()]
        [6, 2, 2]
        """
        shares = (train, dev, test)
        if not all(share >= 0 for share in shares) or abs(sum(shares) - 1) > 1e-9:
            raise ValueError(f"split: the shares must be at least 0 and sum to 1; got {train}, {dev}, {test}")
        order = _stratified_order(self.y, seed)
        cuts = [round(train * len(self)), round((train + dev) * len(self))]
        return Splits(*(self.take(np.sort(part)) for part in np.split(order, cuts)))


class Splits(NamedTuple):
    """A data set in three parts: train to fit, dev to choose, test to report."""

    train: Dataset
    dev: Dataset
    test: Dataset


def check_labels(y: NDArray[Any], classes: int, who: str) -> None:
    """Raise a ValueError that names the first label outside [0, classes)."""
    wrong = np.flatnonzero((y < 0) | (y >= classes))
    if wrong.size:
        row = int(wrong[0])
        more = f" (and {wrong.size - 1} more)" if wrong.size > 1 else ""
        raise ValueError(f"{who}: labels must lie in [0, {classes}); row {row} has label {int(y[row])}{more}")


def _check_arrays(x: NDArray[Any], y: NDArray[Any]) -> None:
    if not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"Dataset: x must be floating point, got {x.dtype}; use x.astype('float32')")
    if not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"Dataset: y must hold integer labels, got {y.dtype}")
    if x.ndim != 2 or y.ndim != 1 or len(x) != len(y):
        raise ValueError(f"Dataset: x must be (N, D) and y (N,); got {x.shape} and {y.shape}")
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise ValueError(f"Dataset: x must be finite; row {row}, column {column} holds {x[row, column]}")


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _stratified_order(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """All indices, so ordered that every prefix holds its share of each class, to within one example."""
    shuffled = permutation(len(y), seed=seed, stream=SPLIT_STREAM, step=0)
    rank = np.empty(len(y))
    for label in np.unique(y):
        of_class = shuffled[y[shuffled] == label]
        rank[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    order: NDArray[np.int64] = shuffled[np.argsort(rank[shuffled], kind="stable")]
    return order
