"""Data sets from .npz archives. Nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.dataset import Dataset
from twingrad.data.npy import check_same_count, explained, from_arrays
from twingrad.data.picking import only

PAIRS = (("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target"))
PARTED = (("x_train", "y_train", "x_test", "y_test"), ("X_train", "y_train", "X_test", "y_test"))


def npz(
    path: Path,
    *,
    features: Any = None,
    target: Any = None,
    name: str = "",
    **options: Any,
) -> Dataset:
    """The data set of an .npz file.

    Its arrays are called x (or X) and y, images and labels, data and target, or x_train, y_train, x_test and y_test,
    whose last two become the test part; else `features` and `target` name them. options: task, like.

    Raises:
        ValueError: a damaged file, a pickle inside, names that cannot be guessed, arrays that do not suit.
    """
    arrays = only(features, "array of features", str(path)), only(target, "array of targets", str(path))
    with _opened(path) as archive:
        names = _names(path, list(archive.files), *arrays)
        found = {role: _member(path, archive, array) for role, array in names.items()}
    x, y, own_test = found["x"], found["y"], 0
    if "x_test" in found:
        check_same_count(path, found["x_test"], found["y_test"], "x_test", "y_test")
        if found["x_test"].shape[1:] != x.shape[1:]:
            raise ValueError(f"{path}: train and test examples differ: {x.shape[1:]} and {found['x_test'].shape[1:]}")
        own_test = len(found["x_test"])
    check_same_count(path, x, y, "features", "targets")
    if own_test:
        x, y = np.concatenate([x, found["x_test"]]), np.concatenate([y, found["y_test"]])
    return from_arrays(x, y, str(path), name or path.stem, own_test=own_test, **options)


def npz_features(path: Path, features: Any = None) -> NDArray[Any]:
    """The features alone of an .npz file, for prediction: as `npz` names them (x_test where there are parts), or all
    that it holds.
    """
    with _opened(path) as archive:
        there = list(archive.files)
        features = only(features, "array of features", str(path))
        if features is not None:
            _check_there(path, features, there)
        usual = [*(parts[2] for parts in PARTED), *(pair[0] for pair in PAIRS)]
        found = features or next((name for name in usual if name in there), there[0] if len(there) == 1 else None)
        if found is None:
            raise ValueError(
                f"{path}: cannot tell which array holds the features; it has {', '.join(there) or 'none'}; name one: "
                f"features={(there or ['x'])[0]!r}"
            )
        return _member(path, archive, found)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The archive; what goes wrong in it becomes a ValueError that names the file."""
    with path.open("rb") as file:  # NumPy leaves open what it cannot read
        try:
            archive = np.load(file, allow_pickle=False)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{path}: not a whole .npz archive ({error}); fetch or save it again") from error
        except Exception as error:
            raise ValueError(explained(path, error).replace(".npy file", ".npz archive", 1)) from error
        if isinstance(archive, np.ndarray):
            raise ValueError(f"{path}: this is one .npy array; let its name end in .npy")
        with archive:
            yield archive


def _member(path: Path, archive: Any, name: str) -> NDArray[Any]:
    try:
        array = archive[name]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise ValueError(f"{path}: array {name!r} is damaged ({error}); fetch or save the file again") from error
    except Exception as error:  # of a damaged header NumPy raises what its tokenizer does, and MemoryError
        raise ValueError(explained(path, error).replace(f"{path}:", f"{path}: array {name!r}", 1)) from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: member {name!r} is no array; only .npy members are read, and nothing is unpickled")
    return array


def _check_there(path: Path, name: str, there: list[str]) -> None:
    if name not in there:
        raise ValueError(f"{path}: there is no array {name!r}; it holds {', '.join(there) or 'none'}")


def _names(path: Path, there: list[str], features: str | None, target: str | None) -> dict[str, str]:
    for given in (features, target):
        if given is not None:
            _check_there(path, given, there)
    for four in PARTED:
        if features is None and target is None and set(four) <= set(there):
            return dict(zip(("x", "y", "x_test", "y_test"), four, strict=True))
    for x, y in PAIRS:
        if (features or x) in there and (target or y) in there and (features or x) != (target or y):
            return {"x": features or x, "y": target or y}
    raise ValueError(
        f"{path}: cannot tell features from targets: it holds {', '.join(there) or 'no arrays'}; name them with "
        "features='NAME' and target='NAME', or call them x and y"
    )
