"""The folder of a run: configuration, checkpoints, history, model and curves, each written whole or not at all."""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from twingrad.data.files import missing
from twingrad.train import curves
from twingrad.train.atomic import unsaved, write_atomic
from twingrad.train.checkpoint import LAST, Checkpoint
from twingrad.train.history import History, Record, line
from twingrad.train.lock import LOCK, FolderLock
from twingrad.train.model_file import BEST, MODEL, model_bytes

HISTORY = "history.jsonl"
CONFIG = "config.toml"
CURVES = "curves.png"
DRAFTS = ".*.part"


class RunFolder:
    """A folder for one run: `claim` it before training, save into it meanwhile and after, then `release` it.

    path: where it is to be; with numbered=True it becomes path-1, path-2, ...: the first that does not exist.
    config: the run's configuration as TOML, written when the folder is claimed, or when its checkpoint suits the run.
    resume: the folder is that of a run that was cut short, and goes on.
    """

    def __init__(
        self, path: str | Path, *, numbered: bool = False, config: str | None = None, resume: bool = False
    ) -> None:
        self.path, self._numbered, self._config, self.resume = Path(path), numbered, config, resume
        self._made: list[Path] = []
        self._lock: FolderLock | None = None

    def claim(self) -> RunFolder:
        """Make the folder with its parents, prove it writable, and keep any other process out of it; returns self.

        Again and again without harm.

        Raises:
            FileExistsError: there is something in it already, or another process is at work in it.
            OSError: it cannot be made or written, or to be resumed it does not exist.
        """
        if self._lock is not None:
            return self
        if self.resume:
            self._reopen()
        elif self._numbered:
            self._claim_number()
        else:
            self._claim(self.path)
        try:
            if not self.resume:
                self.write_config()
        except BaseException:
            self.drop()
            raise
        return self

    def _reopen(self) -> None:
        if not self.path.is_dir():
            raise missing("run folder", self.path)
        self._take_lock(self.path)

    def _claim_number(self) -> None:
        for number in itertools.count(1):
            folder = self.path.with_name(f"{self.path.name}-{number}")
            with suppress(FileExistsError):
                if not folder.exists():
                    self._claim(folder)
                    return

    def _claim(self, folder: Path) -> None:
        made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from None
        FolderLock(folder).check()
        self._check_empty(folder)
        self._take_lock(folder)
        try:
            self._check_empty(folder)
        except FileExistsError:
            self.release()
            raise
        self.path, self._made = folder, made

    def _check_empty(self, folder: Path) -> None:
        if any(path.name != LOCK and not path.match(DRAFTS) for path in folder.iterdir()):
            raise FileExistsError(
                f"output folder {folder} is not empty: name a new one, so that no run is lost"
                + (f"; or go on with its run: --resume {folder}" if (folder / CONFIG).exists() else "")
            )

    def _take_lock(self, folder: Path) -> None:
        lock = FolderLock(folder)
        try:
            lock.acquire()
        except FileExistsError:
            raise
        except OSError as error:
            raise _unusable(folder, error) from None
        self._lock = lock
        for draft in folder.glob(DRAFTS):  # of a run that was killed
            draft.unlink()

    # -- while the run goes on ----------------------------------------------------------------------------------------

    def write(self, name: str, content: bytes) -> Path:
        """Write one file into the folder, whole or not at all."""
        write_atomic(self.path / name, content)
        return self.path / name

    def write_config(self) -> None:
        """Write the configuration, where there is one."""
        if self._config is not None:
            self.write(CONFIG, self._config.encode())

    def append(self, record: Record) -> None:
        """Add a line to history.jsonl."""
        file = self.path / HISTORY
        try:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(line(record))
        except OSError as error:
            raise unsaved(file, error) from error

    def checkpoint(self) -> Checkpoint | None:
        """The one to go on from; None for a run that has none yet, which begins anew."""
        return Checkpoint.read(self.path / LAST) if self.resume and (self.path / LAST).exists() else None

    @property
    def resumable(self) -> bool:
        """Whether there is a checkpoint."""
        return (self.path / LAST).exists()

    # -- its end ------------------------------------------------------------------------------------------------------

    def save(self, model: Any, history: History, title: str) -> None:
        """Write the model, the history and, where matplotlib is installed, the curves."""
        self.write(MODEL, model_bytes(model))
        self.write(HISTORY, history.to_jsonl().encode())
        picture = curves.png(history, title)
        if picture is not None:
            self.write(CURVES, picture)

    def release(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def drop(self) -> None:
        """Give up a run that left no checkpoint and no model: remove its beginnings, and the folders that were made."""
        if not self.resume and not any((self.path / name).exists() for name in (LAST, BEST)):
            for name in (CONFIG, HISTORY):
                (self.path / name).unlink(missing_ok=True)
        self.release()
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def _unusable(folder: Path, error: OSError) -> OSError:
    reason = "it is a file" if folder.is_file() else os.strerror(error.errno or errno.EIO)
    return OSError(f"output folder {folder} cannot be written ({reason}); name another one")
