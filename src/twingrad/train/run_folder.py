"""The folder of a run: the model, its history, its configuration and its curves, each written whole or not at all."""

from __future__ import annotations

import errno
import itertools
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
CONFIG = "config.toml"
CURVES = "curves.png"
CLAIM = ".claimed"


class RunFolder:
    """A folder for one run: `claim` it before training, `save` into it after.

    path: where it is to be; with numbered=True it becomes path-1, path-2, ...: the first that does not exist.
    config: the run's configuration as TOML, written when the folder is claimed.
    """

    def __init__(self, path: str | Path, *, numbered: bool = False, config: str | None = None) -> None:
        self.path, self._numbered, self._config = Path(path), numbered, config
        self._made: list[Path] = []

    def claim(self) -> RunFolder:
        """Make the folder with its parents, prove it writable, and keep any other run out of it; returns self.

        Raises:
            FileExistsError: there is something in it already.
            OSError: it cannot be made or written.
        """
        if self._numbered:
            self._claim_number()
        else:
            self._claim(self.path)
        if self._config is not None:
            self.write(CONFIG, self._config.encode())
        return self

    def _claim_number(self) -> None:
        for number in itertools.count(1):
            folder = self.path.with_name(f"{self.path.name}-{number}")
            with suppress(FileExistsError):
                if not folder.exists():
                    self._claim(folder)
                    return

    def _claim(self, folder: Path) -> None:
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
        self.path, self._made = folder, made

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
        """Give up the claim, and remove the folders that it made unless something else was written into them."""
        for name in (CLAIM, CONFIG):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def _unusable(folder: Path, error: OSError) -> OSError:
    reason = "it is a file" if folder.is_file() else os.strerror(error.errno or errno.EIO)
    return OSError(f"output folder {folder} cannot be written ({reason}); name another one")
