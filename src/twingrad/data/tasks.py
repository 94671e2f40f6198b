"""Which task a target asks for, and the labels that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from twingrad.choice import choose
from twingrad.data.table import Text

TASKS = ("binary", "multi-class", "multi-label", "regression")
FEW = 20
"""So many different whole numbers are taken for classes."""
EXACT = 2**53 - 1
"""Beyond it float64 does not tell one whole number from the next."""


class Target(NamedTuple):
    """Encoded targets.

    y: (N,) int64 classes; (N, K) int64 of 0 and 1; or (N,) or (N, T) float64.
    task: one of `TASKS`; reason: one sentence that tells why.
    classes: the names of the classes, or of the labels; () for a regression.
    """

    y: NDArray[Any]
    task: str
    reason: str
    classes: tuple[str, ...]


def encode(
    raw: NDArray[Any] | Text,
    names: tuple[str, ...],
    task: str | None,
    who: str,
    lines: NDArray[np.int64] | None = None,
    like: Any = None,
) -> Target:
    """Targets as they stand in a file, encoded for `task`, or for the task that they look like.

    raw: (N,) or (N, T), numbers, booleans or text. names: of its T columns. who: what messages call the file, lines:
    where in it each row begins. like: a `Preprocessing`, whose task and classes hold.

    Raises:
        ValueError: no examples, one class or one value alone, a class that `like` does not know, values that do not
            suit the task, NaN or infinity; with row and value.

    >>> encode(np.array([3, 1, 3]), ("size",), None, "t.csv")
    Target(y=array([1, 0, 1]), task='binary', reason="'size' holds 2 different values", classes=('1', '3'))
    """
    task = task or (like.task if like else None)
    if task is not None:
        choose("task", task, TASKS)
    if not len(raw):
        raise ValueError(f"{who}: there are no examples")
    encoder = _Encoder(names, task, who, lines, like.classes if like else ())
    found = encoder.encode(_plain(raw, who))
    if like is None and found.task == "regression":
        _refuse_constants(found.y, names, who)
    return found


def _refuse_constants(y: NDArray[Any], names: tuple[str, ...], who: str) -> None:
    """As one class alone: there is nothing to learn, and R2 does not exist."""
    for column, name in zip(y.reshape(len(y), -1).T, names, strict=True):
        if len(column) > 1 and (column == column[0]).all():
            told = f"holds the one value {column[0]:g} in all {len(column)} rows"
            raise ValueError(f"{who}: target {name!r} {told}; a regression needs at least two")


def _plain(raw: NDArray[Any] | Text, who: str) -> NDArray[Any] | Text:
    """(N,) or (N, T) numbers, T at least 2, or text."""
    if isinstance(raw, Text):
        return raw
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim not in (1, 2) or 0 in raw.shape:
        raise ValueError(f"{who}: targets must be (N,) or (N, T); got {raw.shape}")
    if raw.dtype.kind in "UT" and raw.ndim == 1:
        return Text.of(raw)
    if raw.dtype.kind not in "biuf":
        raise ValueError(f"{who}: targets must be numbers, or one column of text; got {raw.dtype}")
    if raw.dtype.kind == "u" and raw.dtype.itemsize == 8:
        return raw.astype(np.float64)  # int64 does not hold them all
    return raw.astype(np.int64) if raw.dtype.kind in "bu" else raw


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


@dataclass(frozen=True)
class _Encoder:
    """`encode`, with what its messages tell."""

    names: tuple[str, ...]
    task: str | None
    who: str
    lines: NDArray[np.int64] | None
    known: tuple[str, ...]

    def encode(self, raw: NDArray[Any] | Text) -> Target:
        if isinstance(raw, Text):
            return self._text(raw)
        strange = np.isinf(raw) if self.task == "multi-label" else ~np.isfinite(raw)  # there NaN is a missing label
        wrong = np.argwhere(strange)
        if len(wrong):
            self._refuse(wrong[0], "must be finite", raw)
        return self._one(raw) if raw.ndim == 1 else self._several(raw)

    def _refuse(self, place: Any, rule: str, raw: NDArray[Any]) -> NoReturn:
        row = int(place[0])
        where = f"row {row}" if self.lines is None else f"line {int(self.lines[row])}"
        name = self.names[int(place[1]) if len(place) > 1 else 0]
        value = raw[tuple(int(i) for i in place)]
        told = repr(value) if isinstance(value, str) else value
        raise ValueError(f"{self.who}, {where}, target {name!r}: {rule}; got {told}")

    def _text(self, raw: Text) -> Target:
        if self.task in ("regression", "multi-label"):
            raise ValueError(
                f"{self.who}: task {self.task!r} needs numbers, but target {self.names[0]!r} holds text such as "
                f"{raw.values[raw.codes[0]]!r}"
            )
        classes = raw.seen()
        place = {value: number for number, value in enumerate(classes)}
        codes = np.array([place.get(value, -1) for value in raw.values])[raw.codes]
        return self._classes(codes, classes, f"{self.names[0]!r} holds text, {len(classes)} different values")

    def _one(self, raw: NDArray[Any]) -> Target:
        name, task = self.names[0], self.task
        values, codes = np.unique(raw, return_inverse=True)
        whole = bool((values == np.round(values)).all())
        few = len(values) <= FEW or np.array_equal(values, np.arange(len(values)))
        if task == "regression" or (task is None and not (whole and few)):
            looks = "numbers with fractions"
            if whole:
                looks = f"{len(values)} different whole numbers; task='multi-class' would take them for classes"
            return self._found(raw.astype(np.float64), "regression", f"{name!r} holds {looks}", ())
        if task == "multi-label":
            return self._multi_label(raw[:, None], "")
        if not whole:
            self._refuse(np.flatnonzero(raw != np.round(raw))[:1], f"task {task!r} needs whole numbers or text", raw)
        looks = "values" if len(values) == 2 else "whole numbers; task='regression' would take them for amounts"
        if raw.dtype.kind == "f" and abs(values).max() > EXACT:
            self._refuse(np.flatnonzero(abs(raw) > EXACT)[:1], "too large for a class; declare it to be text", raw)
        named = bool(self.known) and not any(_is_whole(known) for known in self.known)  # the numbers stand for those
        classes = tuple(
            self.known[int(value)] if named and 0 <= value < len(self.known) else str(int(value)) for value in values
        )
        return self._classes(codes, classes, f"{name!r} holds {len(values)} different {looks}")

    def _several(self, raw: NDArray[Any]) -> Target:
        count, task = len(self.names), self.task
        zero_or_one = bool(((raw == 0) | (raw == 1)).all())
        one_hot = zero_or_one and bool((raw.sum(axis=1) == 1).all())
        if one_hot and task in (None, "multi-class", "binary"):
            return self._classes(raw.argmax(axis=1), self.names, f"each row has one 1 in {count} target columns")
        if task == "multi-label" or (task is None and zero_or_one):
            return self._multi_label(raw, f"{count} target columns hold 0 and 1")
        if task not in (None, "regression"):
            raise ValueError(
                f"{self.who}: task {task!r} needs one target column, or one 1 in each row; got {count} columns"
            )
        return self._found(raw.astype(np.float64), "regression", f"{count} target columns hold numbers", ())

    def _multi_label(self, raw: NDArray[Any], reason: str) -> Target:
        missing = np.isnan(raw)
        wrong = np.argwhere(~missing & (raw != 0) & (raw != 1))
        if len(wrong):
            self._refuse(wrong[0], "task 'multi-label' needs 0 or 1, or NaN for a missing one", raw)
        return self._found(raw if missing.any() else raw.astype(np.int64), "multi-label", reason, self.names)

    def _classes(self, codes: NDArray[Any], classes: tuple[str, ...], reason: str) -> Target:
        name = self.names[0] if len(self.names) == 1 else _few(self.names)
        if self.known:
            return self._known(codes, classes, name)
        if len(classes) < 2:
            raise ValueError(
                f"{self.who}: target {name!r} holds one class alone ({classes[0]!r}); "
                "a classification needs at least two"
            )
        if self.task == "binary" and len(classes) > 2:
            raise ValueError(
                f"{self.who}: task 'binary' needs two classes, but target {name!r} holds {len(classes)}: "
                f"{_few(classes)}"
            )
        return self._found(codes.astype(np.int64), "binary" if len(classes) == 2 else "multi-class", reason, classes)

    def _known(self, codes: NDArray[Any], classes: tuple[str, ...], name: str) -> Target:
        place = {known: number for number, known in enumerate(self.known)}
        y = np.array([place.get(value, -1) for value in classes])[codes]
        wrong = np.flatnonzero(y < 0)
        if len(wrong):
            shown = np.array(classes, dtype=object)[codes]
            self._refuse(wrong[:1], f"the model knows the classes {_few(self.known)}, no other", shown)
        return Target(y.astype(np.int64), str(self.task), "the model's task", self.known)

    def _found(self, y: NDArray[Any], task: str, reason: str, classes: tuple[str, ...]) -> Target:
        return Target(y, self.task or task, "asked for" if self.task else reason, classes)


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdigit()
