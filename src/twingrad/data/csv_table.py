"""Tables and data sets from CSV files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twingrad.data import csv_records
from twingrad.data.csv_cells import NUMBERS, TEXT, Tally, numbers, texts
from twingrad.data.dataset import Dataset
from twingrad.data.matching import columns_like, same_count, same_names
from twingrad.data.picking import column_roles, find_column, listed, pick_columns
from twingrad.data.table import Column, Table, Text


def csv(
    path: Path,
    *,
    target: Any = None,
    features: Any = None,
    task: str | None = None,
    categories: Sequence[str] = (),
    delimiter: str = ",",
    like: Any = None,
    name: str = "",
) -> Dataset:
    """The data set of a CSV file: UTF-8, a header, fields in quotes where they hold the delimiter, decimal points.

    An empty cell is an error, with its line and column; in a target of task="multi-label" it is a missing label.
    A column is text where most of its cells are, or where `categories` names it; `like`, a `Preprocessing`, decides as
    for the data that it was fitted on, and names the target. See `pick_columns` for x, `encode` for y.

    Raises:
        ValueError: with line, column and value, whatever the file does not do as it should.
    """
    names = csv_records.header(path, delimiter)
    features, target = columns_like(like, names, features, target, str(path))
    chosen, targets = column_roles(names, features, target, str(path))
    for column in categories:
        if column not in names:
            column_roles(names, column, targets, str(path))
    kinds = _kinds(path, delimiter, names, (*chosen, *targets), _declared(like, categories))
    trained = () if like is None else like.names
    labels = targets if "multi-label" in (task, getattr(like, "task", None)) else ()
    tables = _tables(path, delimiter, names, kinds, csv_records.ROWS, trained, tuple(labels))
    table = _joined(list(tables), kinds, path)
    unused = tuple(column for column in names if column not in kinds)
    return pick_columns(table, chosen, targets, name=name or _stem(path), task=task, like=like, unused=unused)


def csv_chunks(path: Path, like: Any, rows: int, delimiter: str = ",", features: Any = None) -> Iterator[Table]:
    """The rows of a CSV file as tables of at most `rows`, with the columns that the `Preprocessing` knows.

    Bounded memory: nothing else of the file is held. Columns of targets are left out. features: these columns alone.

    Raises:
        ValueError: columns that differ from the model's, all by name; a bad cell, with line, column and value.
    """
    names = csv_records.header(path, delimiter)
    chosen = listed(features) or names
    for name in chosen:
        find_column(names, name, str(path))
    if like.names:
        same_names(chosen, like, str(path))
    else:
        same_count(len(chosen), like, str(path))
    kinds = dict.fromkeys(like.names or chosen, NUMBERS) | _declared(like, ())
    return _tables(path, delimiter, names, kinds, rows, tuple(kinds))


def _declared(like: Any, categories: Sequence[str]) -> dict[str, str]:
    """The kinds of columns that need no guess."""
    kinds = {}
    if like is not None:
        seen = like.categories or (None,) * len(like.names)
        kinds = {name: NUMBERS if known is None else TEXT for name, known in zip(like.names, seen, strict=True)}
    return kinds | dict.fromkeys(categories, TEXT)


def _kinds(
    path: Path, delimiter: str, names: tuple[str, ...], wanted: tuple[str, ...], declared: dict[str, str]
) -> dict[str, str]:
    """For each wanted column what it holds, by a pass over the file."""
    tallies = {name: Tally() for name in wanted if name not in declared}
    rows = 0
    for chunk in csv_records.records(path, delimiter):
        rows += len(chunk.lines)
        for name, tally in tallies.items():
            tally.add(chunk.cells[names.index(name)])
    if not rows:
        raise ValueError(f"{path}: there are no rows below the header")
    return {name: declared[name] if name in declared else tallies[name].kind(name, path) for name in wanted}


def _tables(
    path: Path,
    delimiter: str,
    names: tuple[str, ...],
    kinds: dict[str, str],
    rows: int,
    trained: tuple[str, ...],
    labels: tuple[str, ...] = (),
) -> Iterator[Table]:
    """The columns of `kinds`; trained: those that a model takes; labels: those whose cells may be empty."""
    for chunk in csv_records.records(path, delimiter, rows):
        columns: list[Column] = []
        for name, kind in kinds.items():
            cells = chunk.cells[names.index(name)]
            if kind == NUMBERS:
                columns.append(numbers(cells, chunk.lines, name, path, name in trained, name in labels))
            else:
                columns.append(Text.of(texts(cells, chunk.lines, name, path)))
        yield Table(tuple(kinds), tuple(columns), chunk.lines, str(path))


def _joined(tables: list[Table], kinds: dict[str, str], path: Path) -> Table:
    columns: list[Column] = []
    for name in kinds:
        parts = [table.column(name) for table in tables]
        texts = [part for part in parts if isinstance(part, Text)]
        columns.append(_joined_text(texts) if texts else np.concatenate([np.asarray(part) for part in parts]))
    lines = np.concatenate([table.lines for table in tables if table.lines is not None])
    return Table(tuple(kinds), tuple(columns), lines, str(path))


def _joined_text(parts: list[Text]) -> Text:
    values = sorted({value for part in parts for value in part.values})
    place = {value: number for number, value in enumerate(values)}
    codes = [np.array([place[value] for value in part.values], np.int32)[part.codes] for part in parts]
    return Text(np.concatenate(codes), tuple(values))


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
