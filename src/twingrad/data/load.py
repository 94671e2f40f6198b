"""Data sets by name, or from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.choice import choose
from twingrad.data.dataset import Dataset
from twingrad.data.digits import digits
from twingrad.data.fashion_mnist import fashion_mnist
from twingrad.data.files import missing
from twingrad.data.idx import idx_folder, idx_pair, read_idx
from twingrad.data.preprocessing import Preprocessing

NAMED: dict[str, Callable[[], Dataset]] = {"digits": digits, "fashion-mnist": fashion_mnist}
Spec = str | Path | Sequence[str | Path]
KINDS = "a CSV file (.csv, .tsv, also .gz), .npz, .npy, a folder with the four idx files, or a pair: images,labels"


def load(spec: Spec, **options: Any) -> Dataset:
    """A data set by name, or from a file, a folder, or a pair of files.

    Args:
        spec: "digits" (ships in the package) or "fashion-mnist" (Debian's package); a .csv or .tsv file (also .gz), an
            .npz file, an .npy file with a matrix or a structured array; a folder with the four idx files of MNIST's
            names; two files, features and targets, as a sequence or as "x.npy,y.npy": .npy or idx.
        target: the column, columns or array to be predicted; needed where it cannot be guessed.
        features: the columns or the array to learn from; all the others where not given.
        task: "binary", "multi-class", "multi-label" or "regression"; where not given the targets tell (`task_reason`).
        categories: columns of a CSV file whose numbers are names, such as postal codes.
        delimiter: of a CSV file; "," where not given, a tab for .tsv.
        like: a `Preprocessing`: its columns, classes and task hold, as for evaluating a model on another file.
        name: what to call the data set.

    Raises:
        FileNotFoundError: there is no such file, or the data set's package is not installed.
        ValueError: an unknown name (suggests the nearest), an option that does not apply, whatever is wrong with the
            file, by row, column and value.

    >>> load("digits").x.shape
    (1797, 64)
    """
    kind, paths = kind_of(spec)
    if kind == "idx":
        raise ValueError(f"load: {spec} needs its labels too; give a pair of files, IMAGES,LABELS, or their folder")
    if kind == "named":
        fixed = {option: value for option, value in options.items() if option not in ("like", "task", "name")}
        _checked_options(kind, spec, fixed)
        return _named(str(spec), options.get("task"))
    given = _checked_options(kind, spec, options)
    if kind == "csv" and _is_tsv(paths[0]):
        given.setdefault("delimiter", "\t")
    return _reader(kind)(*paths, **given)


def _named(name: str, task: str | None) -> Dataset:
    data = NAMED[name]()
    if task not in (None, "", data.task):
        raise ValueError(f"load: task={task!r} does not apply to {name}, which is {data.task}")
    return data


TAKES = {
    "csv": ("target", "features", "task", "categories", "delimiter", "like", "name"),
    "npz": ("target", "features", "task", "like", "name"),
    "npy": ("target", "features", "task", "like", "name"),
    "npy pair": ("task", "like", "name"),
    "idx folder": ("task", "like", "name"),
    "idx pair": ("task", "like", "name"),
    "named": (),
}
"""For each kind of data, the options of `load` that apply to it."""
FILES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".npz", ".npy")
ENDINGS = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".npy": "npy", "-ubyte": "idx", ".idx": "idx"}


def _reader(kind: str) -> Callable[..., Dataset]:
    """What reads data of that kind, imported when it is first needed."""
    if kind == "csv":
        from twingrad.data.csv_table import csv

        return csv
    if kind == "npz":
        from twingrad.data.npz import npz

        return npz
    from twingrad.data import npy

    others: dict[str, Callable[..., Dataset]] = {
        "npy": npy.npy,
        "npy pair": npy.npy_pair,
        "idx folder": idx_folder,
        "idx pair": idx_pair,
    }
    return others[kind]


def _checked_options(kind: str, spec: Spec, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; a ValueError for one that does not apply."""
    given = {option: value for option, value in options.items() if value is not None and value != ()}
    for option in given:
        choose("option of load", option, TAKES["csv"])
        if option not in TAKES[kind]:
            raise ValueError(f"load: {option} does not apply to {spec}; it is for {_takers(option)}")
    return given


def _takers(option: str) -> str:
    return " or ".join(kind for kind, options in TAKES.items() if option in options)


def kind_of(spec: Spec) -> tuple[str, tuple[Path, ...]]:
    """What kind of data `spec` names (a kind in `TAKES`, or "idx" for a file without labels), and where.

    Raises:
        FileNotFoundError, ValueError: there is nothing by that name; the message suggests the nearest.
    """
    if isinstance(spec, str) and spec in NAMED:
        return "named", ()
    if not isinstance(spec, str | Path):
        if len(spec) != 2:
            raise ValueError(f"load: two files are due, features and targets; got {', '.join(map(str, spec))}")
        return _pair(Path(spec[0]), Path(spec[1]))
    path = Path(spec)
    if path.is_dir():
        return "idx folder", (path,)
    first, comma, second = str(spec).partition(",")
    if comma and not path.exists():
        return _pair(Path(first), Path(second))
    _check_there(path, str(spec))
    return _file_kind(path), (path,)


def feature_batches(
    spec: Spec, preprocessing: Preprocessing, rows: int = 1024, *, features: Any = None, delimiter: str = ""
) -> Iterator[NDArray[np.float32]]:
    """The examples of a file without their targets, preprocessed, at most `rows` at a time: float32 (B, D).

    For prediction, in bounded memory for CSV and .npy. `spec` as in `load`; an idx file or an .npz needs no labels.
    features: the array of an .npz; or the columns of a CSV file that are the model's, where it has others too.

    Raises:
        ValueError: features that differ from the model's, column by column; an unknown category; a bad cell.
    """
    if rows < 1:
        raise ValueError(f"feature_batches: rows must be at least 1; got {rows}")
    kind, paths = kind_of(spec)
    for option, value, kinds in (("features", features, ("csv", "npz")), ("delimiter", delimiter, ("csv",))):
        if value and kind not in kinds:
            raise ValueError(f"load: {option} does not apply to {spec}; it is for {' or '.join(kinds)}")
    if kind == "csv":
        from twingrad.data.csv_table import csv_chunks

        sign = delimiter or ("\t" if _is_tsv(paths[0]) else ",")
        return (preprocessing.apply(piece) for piece in csv_chunks(paths[0], preprocessing, rows, sign, features))
    return _applied(preprocessing, _examples(kind, spec, paths, features), rows, str(spec))


def _applied(by: Preprocessing, x: Any, rows: int, who: str) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(x), rows):
        try:
            yield by.apply(x[start : start + rows], first=start)
        except ValueError as error:
            raise ValueError(f"{who}: {str(error).removeprefix(f'{who}, ')}") from error


def _examples(kind: str, spec: Spec, paths: tuple[Path, ...], features: Any) -> Any:
    if kind in ("named", "idx folder"):
        return load(spec).x
    if kind == "npz":
        from twingrad.data.npz import npz_features

        return npz_features(paths[0], features)
    if kind.startswith("idx"):
        return read_idx(paths[0])
    from twingrad.data.npy import npy_features

    return npy_features(paths[0])


def _is_tsv(path: Path) -> bool:
    return ".tsv" in path.suffixes


def _pair(x: Path, y: Path) -> tuple[str, tuple[Path, ...]]:
    for path in (x, y):
        _check_there(path, str(path))
    kinds = {_file_kind(path) for path in (x, y)}
    if kinds not in ({"npy"}, {"idx"}):
        raise ValueError(f"load: a pair of files must be two .npy or two idx files; got {x} and {y}")
    return f"{kinds.pop()} pair", (x, y)


def _check_there(path: Path, spec: str) -> None:
    if path.exists():
        return
    there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    is_file = any(name.partition(".")[0] == path.name and name.lower().endswith(FILES) for name in there)
    if path.parent == Path() and not path.suffix and not is_file:
        try:
            choose("data set", spec, NAMED)
        except ValueError as error:
            raise ValueError(f"{error}; or the path of {KINDS}") from None
    raise missing("file", path)


def _file_kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    found = next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)
    if found is None:
        raise ValueError(f"{path}: cannot tell from its name what it holds; known are {KINDS}")
    return found
