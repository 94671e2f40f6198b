"""What turns raw features and targets into a network's numbers: fitted on the train part, kept with the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.choice import choose
from twingrad.data import encoding, scaling
from twingrad.data.dataset import Dataset, Splits
from twingrad.data.matching import arrange, match_classes
from twingrad.data.rows import Features
from twingrad.data.table import Table, Text

FORMAT = 1


@dataclass(frozen=True)
class Preprocessing:
    """Casts, scales and encodes: x -> float32 (N, D), and the targets of a regression to mean 0 and deviation 1.

    Each number of a feature becomes (value - shift) / scale, computed in float64 and rounded once, so a row's result
    does not depend on the rows beside it. Text becomes one column for each category seen ("one-hot"), or the
    category's position in sorted order ("ordinal").

    Attributes:
        shape: of one raw example, as (28, 28) or (10,).
        names: of the columns; () for arrays without names.
        categories: for each column None, or the categories of its text, sorted; () where all are numbers.
        encoding: "one-hot" or "ordinal", of the text.
        unknown: "error" or "zeros": what a category does that was not seen.
        scaling: "none", "pixels" (divides by 255) or "standardise"; scaling_reason tells why.
        shift, scale: one for all features, or one for each.
        task, classes, target_names: as in the `Dataset`.
        target_shift, target_scale: one for each target of a regression.
        unused_names: columns that other tables may have too, and that are left out.

    >>> train = Dataset(np.array([[0.0, 2.0], [4.0, 2.0]]), np.array([1.0, 3.0]))
    >>> prepared = Preprocessing.fit(train)
    >>> prepared.apply(train.x), prepared.targets(train.y)
    (array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32), array([[-1.],
           [ 1.]], dtype=float32))
    >>> Preprocessing.from_dict(prepared.to_dict()) == prepared
    True
    """

    shape: tuple[int, ...]
    names: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    encoding: str
    unknown: str
    scaling: str
    scaling_reason: str
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    task: str
    classes: tuple[str, ...]
    target_names: tuple[str, ...]
    target_shift: tuple[float, ...]
    target_scale: tuple[float, ...]
    unused_names: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        train: Dataset,
        *,
        scaling: str = "auto",
        encoding: str = "one-hot",
        scale_targets: bool = True,
        unknown: str = "error",
    ) -> Preprocessing:
        """What `train` asks for, learned from it alone, in passes that hold a few megabytes at a time.

        scaling: "none", "pixels", "standardise" (mean 0 and deviation 1 for each column, no change of scale for a
            constant one); "auto" takes pixels for bytes, none where all numbers lie in [0, 1], else standardise.
        encoding: of text columns, "one-hot" or "ordinal".
        scale_targets: of a regression.
        unknown: what a category does that `train` does not hold: "error", or "zeros" in all its columns (one-hot only).

        Raises:
            ValueError: no examples, NaN or infinity (with row and column), an unknown option.
        """
        choose("encoding", encoding, _ENCODINGS)
        if choose("value of unknown", unknown, ("error", "zeros")) == "zeros" and encoding != "one-hot":
            raise ValueError(f"unknown='zeros' needs encoding='one-hot'; got {encoding!r}")
        if not len(train):
            raise ValueError(f"data set {train.name!r} holds no examples to fit the preprocessing on")
        columns = _encoding.seen(train.x) if isinstance(train.x, Table) else ()
        plain = tuple(categories is None or encoding == "ordinal" for categories in columns)
        chosen, reason, shift, scale = _scaling.fit(train.x, columns, plain, scaling, train.feature_names)
        target = _target_moments(train, scale_targets) if train.task == "regression" else ((), ())
        return cls(
            shape=tuple(train.x.shape[1:]),
            names=tuple(train.feature_names),
            categories=columns,
            encoding=encoding,
            unknown=unknown,
            scaling=chosen,
            scaling_reason=reason,
            shift=shift,
            scale=scale,
            task=train.task,
            classes=tuple(train.classes),
            target_names=tuple(train.target_names),
            target_shift=target[0],
            target_scale=target[1],
            unused_names=tuple(train.unused_names),
        )

    def for_targets(self, train: Dataset, *, scale_targets: bool = True) -> Preprocessing:
        """The same features for another task: the targets of `train`, for a model whose last layers were replaced.

        Raises:
            ValueError: features that differ from those fitted.
        """
        self.apply(train.take(slice(0, 1)))
        shift, scale = _target_moments(train, scale_targets) if train.task == "regression" else ((), ())
        told = {"task": train.task, "classes": tuple(train.classes), "target_names": tuple(train.target_names)}
        return replace(self, **told, target_shift=shift, target_scale=scale)  # type: ignore[arg-type]

    @property
    def width(self) -> int:
        """D: the numbers that the network sees of one example."""
        if not self.categories or self.encoding == "ordinal":
            return int(np.prod(self.shape))
        return sum(1 if seen is None else len(seen) for seen in self.categories)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the D columns, "city=Oslo" for a category; () where the features have no names."""
        if not self.categories or self.encoding == "ordinal":
            return self.names
        pairs = zip(self.names, self.categories, strict=True)
        return tuple(column for name, seen in pairs for column in _encoding.names(name, seen))

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text, each with the number of its categories, as "city (3)"."""
        pairs = zip(self.names, self.categories, strict=False)
        return tuple(f"{name} ({len(seen)})" for name, seen in pairs if seen)

    def describe(self) -> tuple[str, ...]:
        """Sentences that tell the user what is done to the features and the targets.

        >>> Preprocessing.fit(Dataset(np.eye(2), np.array([1.5, 2.0]))).describe()
        ('numbers stay as they are (all features lie in [0, 1])', 'targets are scaled to mean 0 and deviation 1')
        """
        told = [f"{scaling.TOLD[self.scaling]} ({self.scaling_reason})"]
        if self.texts:
            told.append(f"{encoding.TOLD[self.encoding]}: {', '.join(self.texts)}")
        if self.task == "regression" and set(self.target_scale) != {1.0}:
            told.append("targets are scaled to mean 0 and deviation 1")
        return tuple(told)

    def apply(self, x: Features | Dataset, names: tuple[str, ...] = (), first: int | None = 0) -> NDArray[np.float32]:
        """float32 (N, D) of raw examples: an array (N, ...), a `Table`, `Rows`, or a data set's x.

        names: of the columns of an array; given, they are matched by name with the model's, in any order.
        first: what messages call the first row of an array that is a part of a larger one; None: they name no row, as
            for a `Dataset`, whose rows may be shuffled.

        Raises:
            ValueError: features that differ from those fitted, column by column; an unknown category, with its row;
                a number that is not finite, or too large for float32.
        """
        if isinstance(x, Dataset):
            return self.apply(x.x, tuple(x.feature_names), None)
        found = arrange(self, x, names)
        if isinstance(found, Table):
            return _encoding.encoded(self, found)
        where = None if first is None else lambda row: f"row {first + row}"
        return _scaling.scaled(np.asarray(found[:]), self.shift, self.scale, self.names, where)

    def check_categories(self, data: Dataset) -> None:
        """Raise a ValueError for a category of `data` that is unknown, with its row, as `apply` does."""
        if not isinstance(data.x, Table) or not self.categories:
            return
        for name, column, known in zip(data.x.names, data.x.columns, self.categories, strict=True):
            if isinstance(column, Text):
                _encoding.positions(data.x, name, column, known or (), self.unknown)

    def targets(self, y: NDArray[Any] | Dataset) -> NDArray[Any]:
        """What the loss compares with: float32 (N, T) scaled, for a regression; else y, int64, as it is.

        Given a `Dataset`, its classes are matched with the model's by name, since another file may hold only some.

        Raises:
            ValueError: another task, targets of another count, a class that the model does not know.
        """
        if isinstance(y, Dataset):
            y = match_classes(self, y)
        if self.task != "regression":
            return y
        return _scaling.scaled(self._columns(y), self.target_shift, self.target_scale, self.target_names)

    def invert_targets(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Predictions (N, T) of a regression in the targets' own units, float64."""
        found: NDArray[np.float64] = self._columns(y).astype(np.float64) * self.target_scale + self.target_shift
        return found

    def _columns(self, y: NDArray[Any]) -> NDArray[Any]:
        y = np.asarray(y)
        y = y.reshape(len(y), -1)
        if y.shape[1] != len(self.target_shift):
            raise ValueError(f"the model has {len(self.target_shift)} targets of a regression; got {y.shape[1]}")
        return y

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` described, after JSON too.

        Raises:
            ValueError: another format version, fields missing or unknown.
        """
        fields = {name: value for name, value in found.items() if name != "format"}
        if found.get("format") != FORMAT or set(fields) != set(cls.__dataclass_fields__):
            raise ValueError(f"not a preprocessing of format {FORMAT}: {sorted(found)}")
        return cls(**{name: _tupled(value) for name, value in fields.items()})


def prepare(data: Splits, **options: Any) -> tuple[Splits, Preprocessing]:
    """The three parts as float32 in memory, by a preprocessing that is fitted on the train part; and that.

    options: those of `Preprocessing.fit`. For data too large for memory use `loader(..., preprocessing=...)`.

    >>> from twingrad.data import load
    >>> parts, preprocessing = prepare(load("digits").split(seed=0))
    >>> parts.train.x.dtype, preprocessing.scaling
    (dtype('float32'), 'none')
    """
    fitted = Preprocessing.fit(data.train, **options)
    return Splits(*(_prepared(part, fitted) for part in data)), fitted


def _prepared(data: Dataset, by: Preprocessing) -> Dataset:
    return Dataset(
        by.apply(data),
        by.targets(data),
        by.classes,
        data.name,
        task=by.task,
        task_reason=data.task_reason,
        feature_names=by.column_names,
        target_names=by.target_names,
    )


def _target_moments(train: Dataset, wanted: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    columns = train.y.reshape(len(train), -1)
    count = columns.shape[1]
    return scaling.moments_of(columns, train.target_names) if wanted else ((0.0,) * count, (1.0,) * count)


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list | tuple) else value


_ENCODINGS = encoding.ENCODINGS
_encoding, _scaling = encoding, scaling  # the names are arguments of `fit` too
