"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


class SaveError(OSError):
    """A file of a run cannot be written, as on a full disk; what was there before is as it was."""


def write_atomic(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path`, flush it to the disk, rename it, and flush the folder.

    Raises:
        SaveError: it cannot be written. The temporary file is gone, and the file that was there is untouched.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        sync_folder(path.parent)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unsaved(path, error) from error
        raise


def unsaved(path: Path, error: OSError) -> SaveError:
    """The error that tells what could not be written, and why."""
    return SaveError(f"{path} cannot be written ({error.strerror or error}); what was saved before is as it was")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename outlives a loss of power; nothing where folders cannot be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
