"""Data sets from .npy files. Nothing in them is ever unpickled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.dataset import Dataset
from twingrad.data.matching import columns_like
from twingrad.data.picking import only, pick_columns
from twingrad.data.table import Table, Text
from twingrad.data.tasks import encode


def npy_pair(x: Path, y: Path, *, name: str = "", **options: Any) -> Dataset:
    """The data set of two .npy files; x is memory-mapped, so it may be larger than memory; options: task, like."""
    features, targets = read_npy(x, mapped=True), read_npy(y)
    check_same_count(x, features, targets, x.name, y.name)
    return from_arrays(features, targets, str(x), name or x.stem, **options)


def npy(
    path: Path, *, features: Any = None, target: Any = None, name: str = "", like: Any = None, **options: Any
) -> Dataset:
    """The data set of one .npy file: a matrix, whose column `target` (counted from 0, or -1 for the last) is the
    target; or a structured array, whose fields are columns by name, and `like` names the target. options: task.
    """
    array = read_npy(path, mapped=True)
    if array.dtype.names:
        table = _table(array, path)
        features, target = columns_like(like, table.names, features, target, str(path))
        return pick_columns(table, features, target, name=name or path.stem, like=like, **options)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(f"{path}: one .npy file must hold a matrix of features and target; got shape {array.shape}")
    target = only(target, "target column", str(path))
    try:
        column = range(array.shape[1])[int(target)]
    except (TypeError, ValueError, IndexError):
        got = "" if target is None else f"; got {target!r}"
        raise ValueError(
            f"{path}: say which of its {array.shape[1]} columns is the target: target=-1 for the last, "
            f"or give a pair of files, x.npy,y.npy{got}"
        ) from None
    if features is not None:
        raise ValueError(f"{path}: its columns have no names: features cannot be chosen; got {features!r}")
    x, y = _without(array, column), np.asarray(array[:, column])
    return from_arrays(x, y, str(path), name or path.stem, like=like, **options)


def _without(array: NDArray[Any], column: int) -> NDArray[Any]:
    """The other columns; still memory-mapped where it is the first or the last that goes."""
    if column in (0, array.shape[1] - 1):
        return array[:, 1:] if column == 0 else array[:, :-1]
    return np.delete(array, column, axis=1)


def from_arrays(
    x: NDArray[Any],
    y: NDArray[Any],
    who: str,
    name: str,
    *,
    task: str | None = None,
    like: Any = None,
    own_test: int = 0,
) -> Dataset:
    """A data set of arrays from a file, with what went wrong told under the file's name."""
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{who}: features must be numbers; got {x.dtype}; a CSV file may hold text")
    if y.dtype.names or x.ndim < 2:
        raise ValueError(f"{who}: features must be (N, ...) and targets (N,) or (N, T); got {x.shape} and {y.shape}")
    columns = 1 if y.ndim < 2 else y.shape[1]
    names = ("target",) if columns == 1 else tuple(str(column) for column in range(columns))
    target = encode(y, names, task, who, like=like)
    try:
        return Dataset(x, target.y, target.classes, name, target.task, target.reason, own_test=own_test)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: {error}") from error


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """The array of one .npy file, memory-mapped where asked for.

    Raises:
        ValueError: it is damaged, shorter than its header announces, no .npy file, or a pickle.
    """
    try:
        with path.open("rb") as file:  # NumPy leaves an archive open that it cannot read
            mapped = mapped and file.read(1) == b"\x93"
            file.seek(0)
            array = np.load(path if mapped else file, mmap_mode="r" if mapped else None, allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # of a damaged header NumPy raises what its tokenizer does, and MemoryError
        raise ValueError(explained(path, error)) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path}: this is an .npz archive; let its name end in .npz")
    return array


def explained(path: Path, error: Exception) -> str:
    """What NumPy's error about a file means."""
    text = str(error)
    never = "a pickle, which is never loaded, since loading it runs code; save plain arrays of numbers or text"
    if "Object arrays" in text or "Python objects" in text:
        return f"{path}: holds Python objects, that is {never}"
    if "allow_pickle" in text or "pickled" in text:
        return f"{path}: is no .npy file; perhaps {never}"
    if "mmap length" in text:
        return f"{path}: truncated: it has {path.stat().st_size} bytes, {_due(path)} were due; fetch it again"
    return f"{path}: not a whole .npy file ({text or 'it is empty'})"


def _due(path: Path) -> int:
    """The bytes that the header of an .npy file announces, itself among them."""
    with path.open("rb") as file:
        major, _ = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        return file.tell() + math.prod(shape) * dtype.itemsize


def check_same_count(path: Path, x: NDArray[Any], y: NDArray[Any], xs: str, ys: str) -> None:
    """Raise a ValueError that names both where they do not hold as many examples."""
    if not x.ndim or not y.ndim or len(x) != len(y):
        raise ValueError(f"{path}: {xs} and {ys} must hold as many examples; got shapes {x.shape} and {y.shape}")


def npy_features(path: Path) -> Any:
    """The features alone of an .npy file: a memory-mapped array, or a table of a structured one."""
    array = read_npy(path, mapped=True)
    return _table(array, path) if array.dtype.names else array


def _table(array: NDArray[Any], path: Path) -> Table:
    if array.ndim != 1:
        raise ValueError(f"{path}: a structured array must have one axis; got shape {array.shape}")
    names = tuple(array.dtype.names or ())
    for name in names:
        if array[name].dtype.kind not in "fiubU" or array[name].ndim != 1:
            raise ValueError(f"{path}: field {name!r} must hold numbers or text; got {array.dtype[name]}")
    columns = tuple(
        Text.of(array[name]) if array[name].dtype.kind == "U" else np.asarray(array[name], np.float64) for name in names
    )
    return Table(names, columns, None, str(path))
