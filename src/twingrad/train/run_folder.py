"""The folder of a run: the model, its history, its configuration and its curves, each written whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from twingrad.data import Dataset
from twingrad.train import curves
from twingrad.train.atomic import write_atomic
from twingrad.train.history import History
from twingrad.train.model_file import MODEL, model_bytes

HISTORY = "history.json"
CURVES = "curves.png"
CLAIM = ".claimed"


class RunFolder:
    """A folder that belongs to one run. `claim` one before training, `save` into it after.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: Path, made: list[Path]) -> None:
        self.path, self._made = path, made

    @classmethod
    def claim(cls, path: str | Path) -> RunFolder:
        """A new or empty folder, made with its parents, proved writable, and refused to any other run.

        Raises:
            FileExistsError: there is something in it already.
            OSError: it cannot be made or written.
        """
        folder = Path(path)
        made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        taken = FileExistsError(f"output folder {folder} is not empty: name a new one, so that no run is lost")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise taken
            (folder / CLAIM).touch(exist_ok=False)
        except OSError as error:
            full = folder.is_dir() and isinstance(error, FileExistsError)
            raise (taken if full else _unusable(folder, error)) from None
        return cls(folder, made)

    @classmethod
    def claim_next(cls, root: str | Path, name: str) -> RunFolder:
        """The first of root/name-1, root/name-2, ... that does not exist, claimed."""
        number = 1
        while True:
            try:
                return cls.claim(_absent(Path(root) / f"{name}-{number}"))
            except FileExistsError:
                number += 1

    def save(self, model: Any, history: History, data: Dataset) -> None:
        """Write the model, the history and, where matplotlib is installed, the curves."""
        self.write(MODEL, model_bytes(model, data))
        self.write(HISTORY, history.to_json().encode())
        picture = curves.png(history, data.name)
        if picture is not None:
            self.write(CURVES, picture)
        (self.path / CLAIM).unlink(missing_ok=True)

    def write(self, name: str, content: bytes) -> Path:
        """Write one file into the folder, whole or not at all."""
        write_atomic(self.path / name, content)
        return self.path / name

    def drop(self) -> None:
        """Give up the claim, and remove the folders that it made if nothing was written into them."""
        (self.path / CLAIM).unlink(missing_ok=True)
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def _absent(path: Path) -> Path:
    if path.exists():
        raise FileExistsError
    return path


def _unusable(folder: Path, error: OSError) -> OSError:
    reason = "it is a file" if folder.is_file() else os.strerror(error.errno or errno.EIO)
    return OSError(f"output folder {folder} cannot be written ({reason}); name another one")
