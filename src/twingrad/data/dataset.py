"""A data set: features, targets, their names, the task they ask for, and its split into train, dev and test."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twingrad.choice import choose
from twingrad.data.by_source import SourceSplits, split_by_source
from twingrad.data.rows import Features, Rows, chunks, on_host, take
from twingrad.data.splitting import check_parts, order_of, shares_of
from twingrad.data.table import Index, Table, Text
from twingrad.data.tasks import TASKS


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and their targets.

    Attributes:
        x: (N, ...) features, read-only: an array of floating point numbers or integers, which may be memory-mapped;
            `Rows` of a memory-mapped one; or a `Table` with text.
        y: read-only targets: (N,) int64 in [0, C); (N, K) int64 of 0 and 1; or floats, (N,) or (N, T). With
            task="multi-label" floats of 0, 1 and NaN: labels that are missing, which count neither in the loss, a mean
            over those that are there, nor in what is measured; each example has one at least.
        classes: the C names of the classes, or of the K labels; `()` means "0", "1", ... up to the largest label.
        name: what messages and run folders call it.
        task: "binary", "multi-class", "multi-label" or "regression". Not given: floats are a regression, a matrix of
            integers multi-label, and integers two classes or more.
        task_reason: one sentence that tells why it is this task.
        feature_names, target_names: of the columns of x and y; `()` where they have none.
        own_test: so many of the last examples are the test part that the data came with.
        unused_names: columns of the file that are neither features nor targets.

    Raises:
        TypeError: x or y of a kind that no task takes.
        ValueError: shapes differ, x or y holds NaN or infinity, a label lies outside [0, C).

    >>> data = Dataset(np.zeros((3, 2), np.float32), np.array([0, 1, 1]))
    >>> len(data), data.classes, data
    (3, ('0', '1'), Dataset('data', 3 examples, 2 features, 2 classes))
    >>> Dataset(np.zeros((3, 2)), np.array([0.5, 1.5, 2.0])).task
    'regression'
    """

    x: Any
    y: NDArray[Any]
    classes: Sequence[str] = ()
    name: str = "data"
    task: str = ""
    task_reason: str = ""
    feature_names: Sequence[str] = ()
    target_names: Sequence[str] = ()
    own_test: int = 0
    unused_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        x = self.x if isinstance(self.x, Rows | Table) else on_host(self.x, "Dataset: x")
        y = np.asarray(on_host(self.y, "Dataset: y"))
        _check_arrays(x, y)
        task, reason = _task_of(self.task, y, len(self.classes))
        y, classes = _checked_targets(y, task, tuple(self.classes), f"Dataset {self.name!r}")
        names = tuple(self.feature_names) or (x.names if isinstance(x, Table) else ())
        check_finite(x, "Dataset: x", names)
        _check_names(names, x, self.own_test)
        found = {
            "x": _frozen(x),
            "y": _frozen(y),
            "classes": classes,
            "task": task,
            "task_reason": self.task_reason or reason,
            "feature_names": names,
            "target_names": tuple(self.target_names),
            "unused_names": tuple(self.unused_names),
        }
        for field, value in found.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        kinds = {"multi-label": f"{len(self.classes)} labels", "regression": "regression"}
        kind = kinds.get(self.task, f"{len(self.classes)} classes")
        return f"Dataset({self.name!r}, {len(self)} examples, {self.features} features, {kind})"

    @property
    def features(self) -> int:
        """The features of one example: columns of a table, pixels of an image."""
        return int(np.prod(self.x.shape[1:]))

    @property
    def outputs(self) -> int:
        """What a model must give for each example: C, K or T numbers; 1 for a binary task."""
        if self.task in ("multi-class", "multi-label"):
            return len(self.classes)
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    def take(self, index: Index) -> Dataset:
        """The examples at `index` (positions, or a slice), as a new data set with the same classes."""
        part = copy.copy(self)  # checked when it was made
        found = {"x": _frozen(take(self.x, index)), "y": _frozen(self.y[index]), "own_test": 0}
        for field, value in found.items():
            object.__setattr__(part, field, value)
        return part

    def because(self, reason: str) -> Dataset:
        """The same data set, with another reason for its task."""
        found = copy.copy(self)
        object.__setattr__(found, "task_reason", reason)
        return found

    def split(
        self,
        train: float | None = None,
        dev: float | None = None,
        test: float | None = None,
        *,
        seed: int = 0,
        stratify: bool = True,
    ) -> Splits:
        """Three disjoint parts, stratified for classes: each part holds its share of each class.

        Of equally large classes to within one example where a part is cut from the rest; of one that is the share s of
        all, among C classes, to within 1/2 + s C/2: a large class pays for what is rounded of many small ones. Of a
        class too small to be in every part a train part that is the largest has one example, and the seed draws which
        parts have the others.

        A function of the seed alone. The sizes are the shares of N, rounded; the shares must sum to 1, and default to
        0.6, 0.2 and 0.2. Data that came with a test part keep it: train and dev share the rest, by default 0.9 and
        0.1. Each class is shuffled and spread evenly over [0, 1); the parts are cut from there, and keep the order of
        the data set. Multi-label and regression data are shuffled and cut; all are with stratify=False.
        `tg.data.SPLITS` holds the course's shares.

        Raises:
            ValueError: a share below 0, shares that do not sum to 1, a share of test where there is a test part; a part
                that would hold no example, or one class alone; stratification of a class with one example.

        >>> [len(part) for part in Dataset(np.zeros((10, 1)), np.arange(10) % 2).split()]
        [6, 2, 2]
        """
        shares = shares_of(train, dev, test, self.own_test)
        n = len(self) - self.own_test
        classed = stratify and self.task in ("binary", "multi-class")
        order = order_of(self.y[:n], seed, classed, least=min(filter(None, shares), default=1.0))
        cuts = [round(shares[0] * n), n if self.own_test else round((shares[0] + shares[1]) * n)]
        parts = [np.sort(part) for part in np.split(order, cuts)]
        if self.own_test:
            parts[2] = np.arange(n, len(self))
        named = dict(zip(Splits._fields, parts, strict=True))
        check_parts(self, named, dict(zip(Splits._fields, shares, strict=True)), stratify=classed)
        return Splits(*(self.take(part) for part in parts))

    def split_by_source(
        self,
        source: Any,
        *,
        target: Any,
        dev: float,
        test: float,
        train_dev: float = 0,
        seed: int = 0,
        stratify: bool = True,
    ) -> SourceSplits:
        """Dev and test from the target distribution alone; its rest, and all other sources, to train.

        source: (N,), where each example is from. target: the source that the system is for.
        dev, test: of the target's examples, a share as a float or a count as an int. train_dev: of what is left for
        training, which train_dev is as, but not learned from: its error beside train's tells variance, dev's beside
        its own the mismatch. Classes keep their shares, as in `split`, in each part and what it is taken from.

        Raises:
            ValueError: an unknown target, shares or counts that are not there, and as `split`.

        >>> data = Dataset(np.zeros((52, 1)), np.arange(52) % 2)
        >>> parts = data.split_by_source(["web"] * 50 + ["car"] * 2, target="car", dev=0, test=0, train_dev=0.1)
        >>> [len(part) for part in parts]
        [47, 5, 0, 0]
        """
        return split_by_source(
            self, source, target=target, dev=dev, test=test, train_dev=train_dev, seed=seed, stratify=stratify
        )


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


def check_finite(x: Features, who: str, names: Sequence[str] = ()) -> None:
    """Raise a ValueError that names the first row and column with NaN or infinity; a chunk at a time."""
    if isinstance(x, Table):
        _check_finite_table(x, who)
        return
    if not np.issubdtype(x.dtype, np.floating):
        return
    for part in chunks(x):
        values = x[part]
        if not np.isfinite(values).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            column = repr(names[place[1]]) if names else ", ".join(map(str, place[1:]))
            row = int(part.start) + place[0]
            raise ValueError(f"{who} must be finite; row {row}, column {column} holds {values[place]}")


def _check_finite_table(table: Table, who: str) -> None:
    for name, column in zip(table.names, table.columns, strict=True):
        if isinstance(column, Text):
            continue
        wrong = np.flatnonzero(~np.isfinite(column))
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(f"{who} must be finite; {table.where(row)}, column {name!r} holds {column[row]}")


def _check_arrays(x: Features, y: NDArray[Any]) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("Dataset: x must not be masked; fill in what is missing, or leave those examples out")
    if not isinstance(x, Table) and x.dtype.kind not in "fiub":
        raise TypeError(f"Dataset: x must hold floating point numbers or integers, got {x.dtype}")
    if y.dtype.kind not in "fiub":
        raise TypeError(f"Dataset: y must hold integer labels or floats, got {y.dtype}; tg.data.load encodes text")
    if x.ndim < 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise ValueError(f"Dataset: x must be (N, D) and y (N,) or (N, K); got {x.shape} and {y.shape}")


def _check_names(names: Sequence[str], x: Features, own_test: int) -> None:
    if names and len(names) != x.shape[1]:
        raise ValueError(f"Dataset: {x.shape[1]} features need so many feature_names; got {len(names)}")
    if not 0 <= own_test < max(1, len(x)):
        raise ValueError(f"Dataset: own_test must leave examples to train on; got {own_test} of {len(x)}")


def _task_of(task: str, y: NDArray[Any], classes: int) -> tuple[str, str]:
    if task:
        return choose("task", task, TASKS), "asked for"
    if y.dtype.kind == "f":
        return "regression", "the targets are floating point numbers"
    if y.ndim == 2:
        return "multi-label", f"the targets are {y.shape[1]} columns of integers"
    count = classes or int(y.astype(np.int64, copy=False).max(initial=-1)) + 1  # bytes hold no -1
    return "binary" if count == 2 else "multi-class", f"the targets are integers of {count} classes"


def _checked_targets(
    y: NDArray[Any], task: str, classes: tuple[str, ...], who: str
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """y in the dtype of the task, and the names of its classes."""
    if task == "regression":
        if not np.isfinite(y).all():
            row = int(np.argwhere(~np.isfinite(y))[0][0])
            hint = '; labels of which some are missing take task="multi-label"' if y.ndim == 2 else ""
            raise ValueError(f"{who}: targets must be finite; row {row} holds {y[row]}{hint}")
        return (y if y.dtype.kind == "f" else y.astype(np.float64)), ()
    if task == "multi-label" and y.dtype.kind == "f" and y.ndim == 2:
        y = _with_missing(y, who)
        return y, classes or tuple(str(label) for label in range(y.shape[1]))
    if y.dtype.kind == "f" or y.ndim != (2 if task == "multi-label" else 1):
        need = (
            "(N, K) integers of 0 and 1, or floats with NaN where one is missing"
            if task == "multi-label"
            else "(N,) integers"
        )
        raise TypeError(f"{who}: y for task {task!r} must be {need}; got {y.shape} {y.dtype}")
    y = y.astype(np.int64, copy=False)
    if task == "multi-label":
        check_labels(y.ravel(), 2, who)
        return y, classes or tuple(str(label) for label in range(y.shape[1]))
    count = max(int(y.max(initial=-1)) + 1, 2 if task == "binary" else 0)
    classes = classes or tuple(str(label) for label in range(count))
    check_labels(y, len(classes), who)
    if task == "binary" and len(classes) != 2:
        raise ValueError(f"{who}: task 'binary' needs two classes; got {len(classes)}")
    return y, classes


def _with_missing(y: NDArray[Any], who: str) -> NDArray[np.float32]:
    """Labels as floats, NaN where one is missing."""
    missing = np.isnan(y)
    wrong = np.argwhere(~missing & (y != 0) & (y != 1))
    if len(wrong):
        row, label = (int(i) for i in wrong[0])
        raise ValueError(f"{who}: labels must be 0, 1 or NaN for missing; row {row}, label {label} has {y[row, label]}")
    empty = np.flatnonzero(missing.all(axis=1))
    if len(empty):
        raise ValueError(f"{who}: an example needs one label at least; row {int(empty[0])} has none: leave it out")
    return y.astype(np.float32)


def _frozen(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view
