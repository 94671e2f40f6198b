"""Which task a target asks for, and the labels that it becomes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twingrad.choice import choose
from twingrad.data.table import Text

TASKS = ("binary", "multi-class", "multi-label", "regression")
FEW = 20
"""So many different whole numbers are taken for classes."""


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


def encode(raw: NDArray[Any] | Text, names: tuple[str, ...], task: str | None, who: str) -> Target:
    """Targets as they stand in a file, encoded for `task`, or for the task that they look like.

    raw: (N,) or (N, T), numbers, booleans or text. names: of its T columns. who: what messages call it.

    Raises:
        ValueError: no examples, one class, values that do not suit the task, NaN or infinity; with row and value.

    >>> encode(np.array([3, 1, 3]), ("size",), None, "t.csv")
    Target(y=array([1, 0, 1]), task='binary', reason="'size' holds 2 different values", classes=('1', '3'))
    """
    if task is not None:
        choose("task", task, TASKS)
    if not len(raw):
        raise ValueError(f"{who}: there are no examples")
    raw = _plain(raw, who)
    if isinstance(raw, Text):
        return _classes_of_text(raw, names[0], task, who)
    _check_finite(raw, names, who)
    if raw.ndim == 2:
        return _several(raw, names, task, who)
    return _one(raw, names[0], task, who)


def _plain(raw: NDArray[Any] | Text, who: str) -> NDArray[Any] | Text:
    if isinstance(raw, Text):
        return raw
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim not in (1, 2) or 0 in raw.shape:
        raise ValueError(f"{who}: targets must be (N,) or (N, T); got {raw.shape}")
    if raw.dtype.kind in "UT":
        if raw.ndim == 2:
            raise ValueError(f"{who}: several target columns must hold numbers; got text")
        return Text.of(raw)
    if raw.dtype.kind not in "biuf":
        raise ValueError(f"{who}: targets must be numbers or text; got {raw.dtype}")
    return raw.astype(np.int64) if raw.dtype.kind in "bu" else raw


def _check_finite(raw: NDArray[Any], names: tuple[str, ...], who: str) -> None:
    wrong = np.argwhere(~np.isfinite(raw))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        column = names[place[1]] if len(place) > 1 else names[0]
        raise ValueError(f"{who}, row {place[0]}, target {column!r}: must be finite; got {raw[place]}")


def _classes_of_text(raw: Text, name: str, task: str | None, who: str) -> Target:
    if task in ("regression", "multi-label"):
        raise ValueError(
            f"{who}: task {task!r} needs numbers, but target {name!r} holds text such as {raw.values[0]!r}"
        )
    classes = raw.seen()
    position = np.array([classes.index(value) if value in classes else -1 for value in raw.values])
    return _classified(position[raw.codes], classes, f"{name!r} holds text", task, name, who)


def _classified(
    y: NDArray[Any], classes: tuple[str, ...], reason: str, task: str | None, name: str, who: str
) -> Target:
    if len(classes) < 2:
        raise ValueError(
            f"{who}: target {name!r} holds one class alone ({classes[0]!r}); a classification needs at least two"
        )
    if task == "binary" and len(classes) > 2:
        raise ValueError(
            f"{who}: task 'binary' needs two classes, but target {name!r} holds {len(classes)}: {_few(classes)}"
        )
    found = task or ("binary" if len(classes) == 2 else "multi-class")
    why = "asked for" if task else f"{reason}, {len(classes)} different values" if "text" in reason else reason
    return Target(y.astype(np.int64), found, why, classes)


def _few(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown}, ..." if len(names) > 5 else shown


def _one(raw: NDArray[Any], name: str, task: str | None, who: str) -> Target:
    values, codes = np.unique(raw, return_inverse=True)
    whole = bool((values == np.round(values)).all())
    few = len(values) <= FEW or np.array_equal(values, np.arange(len(values)))
    if task == "regression" or (task is None and not (whole and few)):
        looks = f"{len(values)} different whole numbers" if whole else "numbers with fractions"
        return Target(raw.astype(np.float64), "regression", "asked for" if task else f"{name!r} holds {looks}", ())
    if task == "multi-label":
        return _multi_label(raw[:, None], (name,), "asked for", who)
    if not whole:
        row = int(np.flatnonzero(raw != np.round(raw))[0])
        raise ValueError(
            f"{who}, row {row}: task {task!r} needs whole numbers or text in target {name!r}; got {raw[row]}"
        )
    reason = f"{name!r} holds {len(values)} different {'values' if len(values) == 2 else 'whole numbers'}"
    return _classified(codes, tuple(str(int(value)) for value in values), reason, task, name, who)


def _several(raw: NDArray[Any], names: tuple[str, ...], task: str | None, who: str) -> Target:
    zero_or_one = bool(((raw == 0) | (raw == 1)).all())
    one_hot = zero_or_one and bool((raw.sum(axis=1) == 1).all())
    if task in (None, "multi-class", "binary") and one_hot:
        reason = f"each row has one 1 among its {len(names)} target columns"
        return _classified(raw.argmax(axis=1), names, reason, task, "+".join(_few(names).split(", ")), who)
    if task == "multi-label" or (task is None and zero_or_one):
        return _multi_label(raw, names, "asked for" if task else f"{len(names)} target columns of 0 and 1", who)
    if task not in (None, "regression"):
        raise ValueError(
            f"{who}: task {task!r} needs one target column, or one 1 in each row; got {len(names)} columns"
        )
    reason = "asked for" if task else f"{len(names)} target columns of numbers"
    return Target(raw.astype(np.float64), "regression", reason, ())


def _multi_label(raw: NDArray[Any], names: tuple[str, ...], reason: str, who: str) -> Target:
    wrong = np.argwhere((raw != 0) & (raw != 1))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise ValueError(
            f"{who}, row {row}, target {names[column]!r}: task 'multi-label' needs 0 or 1; got {raw[row, column]}"
        )
    return Target(raw.astype(np.int64), "multi-label", reason, names)
