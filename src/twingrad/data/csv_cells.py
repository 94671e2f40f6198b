"""Cells of a CSV file as numbers or text."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NUMBERS, TEXT = "numbers", "text"
MISSING = ("na", "n/a", "null", "none", "missing", "?", "-", ".")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")


@dataclass
class Tally:
    """What a column holds, counted over the whole file."""

    numbers: int = 0
    texts: int = 0
    sample: str = ""

    def add(self, cells: tuple[str, ...]) -> None:
        """Count the cells of one chunk; gaps count as nothing."""
        if _as_floats(cells) is not None:
            self.numbers += len(cells)
            return
        for cell, count in Counter(cells).items():
            if _as_floats((cell,)) is not None:
                self.numbers += count
            elif cell.strip():
                self.texts += count
                self.sample = self.sample or cell

    def kind(self, name: str, path: Path) -> str:
        """`NUMBERS` where at least half of the cells are, else `TEXT`.

        Raises:
            ValueError: all text looks like numbers with a decimal comma.
        """
        if not self.texts or self.numbers >= self.texts:
            return NUMBERS
        if _DECIMAL_COMMA.fullmatch(self.sample):
            raise ValueError(f"{path}, column {name!r}: numbers need a decimal point; got {self.sample!r}")
        return TEXT


def numbers(
    cells: tuple[str, ...], lines: NDArray[np.int64], name: str, path: Path, trained: bool = False, gaps: bool = False
) -> NDArray[np.float64]:
    """The cells as float64; trained: because a model takes numbers there; gaps: an empty cell is a NaN.

    Raises:
        ValueError: a gap, text, NaN or infinity; with line, column and value.
    """
    cells = tuple(cell if cell.strip() else "nan" for cell in cells) if gaps else cells
    found = _as_floats(cells)
    if found is not None and (np.isfinite(found) | (gaps & np.isnan(found))).all():
        return found
    for line, cell in zip(lines, cells, strict=True):
        value = _as_floats((cell,))
        where = f"{path}, line {line}, column {name!r}"
        if not cell.strip():
            raise ValueError(f"{where}: {_GAP}")
        if value is None:
            other = (
                "; the model takes numbers" if trained else f", or declare the column to be text: categories=[{name!r}]"
            )
            if cell.strip().lower() in MISSING:
                raise ValueError(f"{where}: a missing value, {cell!r}; fill it in or remove the row{other}")
            raise ValueError(f"{where}: a number is due, got {cell!r}; mend or remove the row{other}")
        if not np.isfinite(value[0]) and not (gaps and np.isnan(value[0])):
            raise ValueError(f"{where}: must be finite, got {cell.strip()!r}; fill it in or remove the row")
    raise AssertionError("unreachable: some cell is no finite number")


def texts(cells: tuple[str, ...], lines: NDArray[np.int64], name: str, path: Path) -> list[str]:
    """The cells without the space around them.

    Raises:
        ValueError: a gap, with line and column.
    """
    found = [cell.strip() for cell in cells]
    if "" in found:
        raise ValueError(f"{path}, line {lines[found.index('')]}, column {name!r}: {_GAP}")
    return found


_GAP = "the cell is empty; fill it in or remove the row"


def _as_floats(cells: tuple[str, ...]) -> NDArray[np.float64] | None:
    try:
        found = np.array(list(map(float, cells)), np.float64)
    except ValueError:
        return None
    return None if "_" in "".join(cells) else found  # Python reads 1_000 as a number; a table does not
