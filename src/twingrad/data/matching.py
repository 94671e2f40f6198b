"""Do these features and classes suit the model? Column by column, class by class."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.dataset import Dataset
from twingrad.data.picking import listed
from twingrad.data.rows import Features
from twingrad.data.table import Table, Text

FEW = 12
"""So many columns are listed at most."""


def arrange(by: Any, x: Features, names: tuple[str, ...]) -> Features:
    """x with its columns in the order of the `Preprocessing`.

    Raises:
        ValueError: missing and unexpected columns, text for numbers and numbers for text, each by name; another shape.
    """
    if isinstance(x, Table):
        return _arrange_table(by, x)
    if by.categories:
        told = ", ".join(by.names[:FEW]) + (", ..." if len(by.names) > FEW else "")
        raise ValueError(
            f"the model was trained on a table with text, with the columns {told}; "
            f"got numbers without names, of shape {tuple(x.shape)}"
        )
    if names and by.names:
        same_names(names, by, "features")
        order = [names.index(name) for name in by.names]
        return x if order == list(range(len(names))) else x[:][:, order]
    if tuple(x.shape[1:]) != by.shape and int(np.prod(x.shape[1:])) != int(np.prod(by.shape)):
        raise ValueError(f"the model was trained on {_told(by.shape)}; got {_told(tuple(x.shape[1:]))}")
    return x


def _told(shape: tuple[int, ...]) -> str:
    """What one example holds, for messages."""
    if len(shape) > 1:
        return f"examples of shape {shape}"
    return f"{shape[0]} feature{'s' * (shape[0] != 1)}" if shape else "one number, an array without a second axis"


def columns_like(by: Any, names: tuple[str, ...], features: Any, target: Any, who: str) -> tuple[Any, Any]:
    """Which columns are features and which the target: as given, or as the `Preprocessing` has them, if there is one.

    Raises:
        ValueError: as `same_names` and `same_count`.
    """
    if by is None:
        return features, target
    chosen = listed(features)
    if not by.names:
        same_count(len(chosen) or len(names) - max(1, len(listed(target))), by, who)
        return features, target
    same_names(chosen or names, by, who)
    return by.names, target or by.target_names


def same_count(count: int, by: Any, who: str) -> None:
    """Raise a ValueError unless there are as many columns as the features, without names, of the `Preprocessing`."""
    due = int(np.prod(by.shape))
    if count != due:
        raise ValueError(f"{who}: {count} columns of features, but the model was trained on {due}, without names")


def _arrange_table(by: Any, table: Table) -> Table:
    if not by.names:
        same_count(table.shape[1], by, table.source)
        return table
    same_names(table.names, by, table.source)
    columns = tuple(table.column(name) for name in by.names)
    for name, column, known in zip(by.names, columns, by.categories or (None,) * len(columns), strict=True):
        if isinstance(column, Text) != (known is not None):
            holds, due = ("text", "numbers") if known is None else ("numbers", "text")
            raise ValueError(f"{table.source}, column {name!r}: holds {holds}, but the model was trained on {due}")
    return Table(by.names, columns, table.lines, table.source, table.first)


def same_names(names: tuple[str, ...], by: Any, who: str) -> None:
    """Raise a ValueError that tells each column that is missing or unexpected; targets and unused ones may be there."""
    others = (*by.target_names, *by.unused_names)
    missing = [name for name in by.names if name not in names]
    unexpected = [name for name in names if name not in by.names and name not in others]
    if not missing and not unexpected:
        return
    told = [f"missing {', '.join(map(repr, missing))}"] if missing else []
    if unexpected:
        told.append(f"unexpected {', '.join(_with_hint(name, missing) for name in unexpected)}")
    if not missing and len(by.names) <= FEW:
        told.append(f"to leave it out: features={list(by.names)}")
    raise ValueError(f"{who}: the columns differ from those the model was trained on: {'; '.join(told)}")


def _with_hint(name: str, missing: list[str]) -> str:
    near = [each for each in missing if each.lower() == name.lower()] or get_close_matches(name, missing, n=1)
    return repr(name) + (f" (did you mean {near[0]!r}?)" if near else "")


def match_classes(by: Any, data: Dataset) -> NDArray[Any]:
    """The targets of a data set, with the model's numbers for its classes.

    Raises:
        ValueError: another task, or a class that the model does not know.
    """
    if data.task != by.task and not ({data.task, by.task} == {"binary", "multi-class"}):
        raise ValueError(f"data set {data.name!r} is a {data.task} task, but the model was trained on {by.task}")
    if by.task == "regression" or tuple(data.classes) == by.classes:
        return data.y
    unknown = [name for name in data.classes if name not in by.classes]
    if by.task == "multi-label" or unknown:
        raise ValueError(
            f"data set {data.name!r}: its classes differ from those the model was trained on: "
            f"{', '.join(map(repr, unknown or data.classes))} against {', '.join(map(repr, by.classes))}"
        )
    found: NDArray[np.int64] = np.array([by.classes.index(name) for name in data.classes])[data.y]
    return found
