"""Which columns of a table are features, and which the target."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.dataset import Dataset
from twingrad.data.table import Table, Text
from twingrad.data.tasks import encode

GUESSES = ("target", "label", "labels", "class", "y")


def column_roles(names: Sequence[str], features: Any, target: Any, who: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the features, and of the targets.

    features, target: a name, several names, or None: all the other columns; the one that is called target, label,
    labels, class or y.

    Raises:
        ValueError: a column that does not exist (suggests the nearest), or that is both; no target can be told.
    """
    targets = listed(target)
    if not targets:
        targets = tuple(name for name in names if name.lower() in GUESSES)
        if len(targets) != 1:
            raise ValueError(
                f"{who}: say which column is the target, as in target={names[-1]!r}; it has {_told(names)}"
            )
    chosen = listed(features) or tuple(name for name in names if name not in targets)
    for name in (*targets, *chosen):
        find_column(names, name, who)
    both = [name for name in chosen if name in targets]
    if both:
        raise ValueError(f"{who}: column {both[0]!r} cannot be a feature and the target")
    if not chosen:
        raise ValueError(f"{who}: beside the target there is no column to learn from")
    return chosen, targets


def find_column(names: Sequence[str], name: str, who: str) -> None:
    """Raise a ValueError for a column that does not exist; it suggests the nearest."""
    if name not in names:
        near = [each for each in names if each.lower() == name.lower()] or get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}? It" if near else "it"
        raise ValueError(f"{who}: there is no column {name!r}; {hint} has {_told(names)}")


def _told(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' if "," in name else name for name in names)


def only(given: Any, what: str, who: str) -> Any:
    """The one thing that is given, alone or as a list of one; None for nothing.

    Raises:
        ValueError: several.
    """
    if not isinstance(given, list | tuple):
        return given
    if len(given) > 1:
        raise ValueError(f"{who}: one {what} is due here; got {', '.join(map(str, given))}")
    return given[0] if given else None


def listed(names: Any) -> tuple[str, ...]:
    """A name or several as a tuple; () for None."""
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def pick_columns(
    table: Table,
    features: Any,
    target: Any,
    *,
    name: str,
    task: str | None = None,
    like: Any = None,
    unused: tuple[str, ...] = (),
) -> Dataset:
    """The data set of a table: x an array where all features are numbers, else a `Table`.

    Raises:
        ValueError: as `column_roles` and `encode`.
    """
    chosen, targets = column_roles(table.names, features, target, table.source)
    unused = unused or tuple(each for each in table.names if each not in (*chosen, *targets))
    found = encode(_targets(table, targets), targets, task, table.source, table.lines, like)
    columns = tuple(table.column(each) for each in chosen)
    x: Any = Table(chosen, columns, table.lines, table.source)
    if not any(isinstance(column, Text) for column in columns):
        x = np.stack([np.asarray(column) for column in columns], axis=1)
    return Dataset(
        x,
        found.y,
        found.classes,
        name,
        found.task,
        found.reason,
        feature_names=chosen,
        target_names=targets,
        unused_names=unused,
    )


def _targets(table: Table, names: tuple[str, ...]) -> NDArray[Any] | Text:
    if len(names) == 1:
        return table.column(names[0])
    columns = [table.column(name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if isinstance(column, Text):
            raise ValueError(f"{table.source}: several target columns must hold numbers, but {name!r} holds text")
    return np.stack([np.asarray(column) for column in columns], axis=1)
