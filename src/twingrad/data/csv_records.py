"""The records of a CSV file (RFC 4180, UTF-8, with a header), in chunks, with the line on which each begins."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twingrad.data.files import opened

ROWS = 4096
"""Records of one chunk."""


class Records(NamedTuple):
    """Some records, by column: `cells[c][r]` is what stands in column c of record r, which begins on `lines[r]`."""

    cells: list[tuple[str, ...]]
    lines: NDArray[np.int64]


def header(path: Path, delimiter: str) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        ValueError: an empty file, names that are empty or occur twice, numbers instead of names, another delimiter.
    """
    with opened(path) as file:
        reader = _reader(file, path, delimiter)
        return _header(next(_whole(reader, path), []), path, delimiter)


def records(path: Path, delimiter: str, rows: int = ROWS) -> Iterator[Records]:
    """The records below the header, `rows` at a time.

    Raises:
        ValueError: a row of another number of fields, an empty line between rows, bytes that are not UTF-8, a quote
            that is not closed; each with its line.
    """
    with opened(path) as file:
        reader = _reader(file, path, delimiter)
        found = _whole(reader, path)
        names = _header(next(found, []), path, delimiter)
        chunk: list[list[str]] = []
        lines: list[int] = []
        line, empty = reader.line_num + 1, 0
        for record in found:
            if not record:
                empty = empty or line
            else:
                _check_record(record, names, path, line, empty)
                chunk.append(record)
                lines.append(line)
            line = reader.line_num + 1
            if len(chunk) == rows:
                yield Records(list(zip(*chunk, strict=True)), np.array(lines))
                chunk, lines = [], []
        if chunk:
            yield Records(list(zip(*chunk, strict=True)), np.array(lines))


def _reader(file: BufferedIOBase, path: Path, delimiter: str) -> Any:
    """A quote may follow the space after a delimiter."""
    return csv.reader(_text(file, path), delimiter=delimiter, strict=True, skipinitialspace=True)


def _whole(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    """The reader's records; where it fails, the line."""
    try:
        yield from reader
    except csv.Error as error:
        line = getattr(reader, "line_num", 0)
        if "new-line" in str(error):
            cure = "a line ends in a carriage return alone; save the file with ordinary line ends"
        else:
            cure = f"not a CSV record ({error}); is a quote left open, or not doubled?"
        raise ValueError(f"{path}, line {line}: {cure}") from error


def _text(file: BufferedIOBase, path: Path) -> Iterator[str]:
    """The lines as text; bytes that are not UTF-8 are refused with their line and place."""
    start = 0
    for number, line in enumerate(file, 1):
        if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ValueError(f"{path}: is UTF-16; save it as UTF-8")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: byte 0x{line[error.start]:02x} at position {start + error.start} of the file "
                f"is not UTF-8 ({error.reason}); save it as UTF-8"
            ) from None
        if "\0" in text:
            raise ValueError(f"{path}, line {number}: holds a zero byte; is it a text file?")
        start += len(line)
        yield text.removeprefix("\ufeff") if number == 1 else text


def _header(cells: list[str], path: Path, delimiter: str) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    if not any(names):
        raise ValueError(f"{path}, line 1: a header with the names of the columns is due; the line is empty")
    other = next((sign for sign in ";\t|," if sign != delimiter and sign in names[0]), None)
    if len(names) == 1 and other:
        raise ValueError(
            f"{path}, line 1: one column, {names[0]!r}; its fields seem to be separated by {other!r}: "
            f"delimiter={other!r}"
        )
    for position, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"{path}, line 1: column {position} has no name")
        if names.index(name) + 1 < position:
            raise ValueError(
                f"{path}, line 1: columns {names.index(name) + 1} and {position} are both called {name!r}; rename one"
            )
    if all(_is_number(name) for name in names):
        raise ValueError(f"{path}, line 1: numbers where the names of the columns are due; add a header: {names[0]!r}")
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_record(record: list[str], names: tuple[str, ...], path: Path, line: int, empty: int) -> None:
    if empty:
        raise ValueError(f"{path}, line {empty}: is empty, with rows below it; remove it")
    if len(record) != len(names):
        raise ValueError(
            f"{path}, line {line}: has {len(record)} fields where the header has {len(names)} columns "
            f"({names[0]!r} to {names[-1]!r}); it begins {','.join(record)[:40]!r}"
        )
