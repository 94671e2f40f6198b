"""One process at a time on a run folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not on Windows: runs are not kept apart there
    fcntl = None

LOCK = ".lock"


class FolderLock:
    """A file in the folder that holds this process's number, locked as long as the process lives or until `release`.

    The operating system lets go of the lock however the process ends, so a run that was killed leaves the file behind
    but not the lock.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            FileExistsError: another run has it; the message tells its process.
            OSError: the file cannot be made, or its file system has no locks.
        """
        while self._descriptor is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            if fcntl is not None:
                self._flock(fcntl, descriptor)
            with suppress(FileNotFoundError):
                if os.stat(self.path).st_ino == os.fstat(descriptor).st_ino:  # else it was just released: once more
                    self._descriptor = descriptor
                    break
            os.close(descriptor)
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def check(self) -> None:
        """Raise a FileExistsError if another run has the lock; nothing is changed."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self.path, os.O_RDONLY)
            if fcntl is not None:
                self._flock(fcntl, descriptor)
            os.close(descriptor)

    def _flock(self, module: ModuleType, descriptor: int) -> None:
        try:
            module.flock(descriptor, module.LOCK_EX | module.LOCK_NB)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: another process has it
            pid = os.read(descriptor, 32).decode(errors="replace") or "unknown"
            os.close(descriptor)
            raise FileExistsError(
                f"run folder {self.path.parent} is in use by process {pid}; wait for it, or name another folder"
            ) from None
        except OSError:
            os.close(descriptor)
            raise

    def release(self) -> None:
        """Let go, and remove the file."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
