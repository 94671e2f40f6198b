"""A table whose columns hold numbers or text, as a CSV file has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Index = slice | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Text:
    """A column of text: `values[codes[i]]` stands in row i.

    >>> Text.of(["b", "a", "b"])
    Text(codes=array([1, 0, 1], dtype=int32), values=('a', 'b'))
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    @classmethod
    def of(cls, cells: Any) -> Text:
        """The column of these strings, its values in sorted order."""
        values, codes = np.unique(np.asarray(cells, dtype=np.str_), return_inverse=True)
        return cls(codes.astype(np.int32), tuple(str(value) for value in values))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Index) -> Text:
        return Text(self.codes[index], self.values)

    def seen(self) -> tuple[str, ...]:
        """The values that occur, sorted."""
        return tuple(sorted(self.values[code] for code in np.unique(self.codes)))


Column = NDArray[np.float64] | Text


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of one length, each float64 (N,) or `Text`.

    Attributes:
        names: the names of the columns, in the file's order.
        columns: the columns.
        lines: for messages, the line of the file (from 1) where each row begins; None: rows are named by position.
        source: for messages, the file's name. first: the position of the first row there.

    >>> table = Table(("age", "city"), (np.array([3.0, 5.0]), Text.of(["Oslo", "Rome"])))
    >>> table.shape, table[1:].columns[0], table.column("city").seen()
    ((2, 2), array([5.]), ('Oslo', 'Rome'))
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: NDArray[np.int64] | None = None
    source: str = "table"
    first: int = 0

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns}
        if len(self.names) != len(self.columns) or len(set(self.names)) != len(self.names):
            raise ValueError(f"Table: each column needs a name of its own; got {len(self.columns)} and {self.names}")
        if len(lengths) > 1:
            raise ValueError(f"Table: all columns must have one length; got {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def __getitem__(self, index: Index) -> Table:
        lines = None if self.lines is None else self.lines[index]
        first = self.first + index.indices(len(self))[0] if isinstance(index, slice) else 0
        return Table(self.names, tuple(column[index] for column in self.columns), lines, self.source, first)

    def __repr__(self) -> str:
        return f"Table({len(self)} rows, columns {', '.join(self.names)})"

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError("a Table may hold text: Preprocessing.fit(train).apply(table) makes an array of it")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self), len(self.columns)

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    def column(self, name: str) -> Column:
        """The column of that name."""
        return self.columns[self.names.index(name)]

    def where(self, row: int) -> str:
        """How messages name a row."""
        place = f"row {self.first + row}" if self.lines is None else f"line {int(self.lines[row])}"
        return f"{self.source}, {place}"
