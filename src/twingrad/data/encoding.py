"""Text as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.scaling import scaled
from twingrad.data.table import Table, Text

ENCODINGS = ("one-hot", "ordinal")
TOLD = {
    "one-hot": "text becomes one column for each category",
    "ordinal": "text becomes its category's position in sorted order",
}
MOST = 1000
"""Categories of one column beyond which it is taken for a mistake."""

FEW = 20
"""So many categories may be missed without the column being taken for names of rows."""

Seen = tuple[str, ...] | None


def seen(table: Table) -> tuple[Seen, ...]:
    """For each column None, or the categories that occur in it.

    Raises:
        ValueError: more than `MOST` of them.
    """
    found = tuple(column.seen() if isinstance(column, Text) else None for column in table.columns)
    for name, categories in zip(table.names, found, strict=True):
        if categories and len(categories) > MOST:
            raise ValueError(
                f"{table.source}, column {name!r}: {len(categories)} different texts are too many for categories "
                f"(at most {MOST}); leave the column out"
            )
    return found


def names(column: str, categories: Seen) -> tuple[str, ...]:
    """What the columns are called that a column becomes."""
    return (column,) if categories is None else tuple(f"{column}={category}" for category in categories)


def encoded(by: Any, table: Table) -> NDArray[np.float32]:
    """float32 (N, D) of a table whose columns are those of the `Preprocessing`, in its order."""
    out = np.zeros((len(table), by.width), np.float32)
    categories = by.categories or (None,) * len(table.names)
    start = 0
    for number, (name, column, known) in enumerate(zip(table.names, table.columns, categories, strict=True)):
        shift, scale = (values[number if len(values) > 1 else 0] for values in (by.shift, by.scale))
        numbers = positions(table, name, column, known or (), by.unknown) if isinstance(column, Text) else column
        if known is None or by.encoding == "ordinal":
            out[:, start] = scaled(numbers[:, None], (shift,), (scale,), (name,), table.where)[:, 0]
            start += 1
        else:
            (rows,) = np.nonzero(numbers >= 0)
            out[rows, start + numbers[rows].astype(np.int64)] = 1
            start += len(known)
    return out


def positions(
    table: Table, name: str, column: Text, known: tuple[str, ...], unknown: str = "error"
) -> NDArray[np.int64]:
    """Where each row's text stands among the known categories; with unknown="zeros", -1 for a text that does not.

    Raises:
        ValueError: a text that is not among them, with its row.
    """
    place = {category: number for number, category in enumerate(known)}
    found = np.array([place.get(value, -1) for value in column.values], np.int64)[column.codes]
    wrong = np.flatnonzero(found < 0)
    if len(wrong) and unknown == "error":
        row = int(wrong[0])
        shown = ", ".join(repr(category) for category in known[:8]) + (", ..." if len(known) > 8 else "")
        cure = "train with unknown='zeros' to take others for none of them"
        if len(known) > FEW and 2 * len(wrong) > len(found):
            cure = "most texts are new, as if each row had its own: leave the column out of the features"
        raise ValueError(
            f"{table.where(row)}, column {name!r}: unknown category {column.values[column.codes[row]]!r}; "
            f"the training part had {shown}; {cure}"
        )
    return found
