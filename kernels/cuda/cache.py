"""Compiled kernels on disk: whole files or none, found by the hash of everything that went into them.

A file holds a mark, the SHA-256 of its content, and the content. It is written beside its place and then renamed, so
that a reader in another process sees all of it or nothing; a file whose hash is wrong counts as absent and is replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from twingrad.devices import DeviceWarning

MARK = b"twingrad kernel 1\n"
DIGEST = hashlib.sha256().digest_size
_told: set[str] = set()


class CacheWarning(DeviceWarning):
    """Compiled kernels cannot be kept, so each process compiles them anew."""


def folder() -> Path:
    """Where compiled kernels are kept: TWINGRAD_CACHE_DIR, else twingrad in XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get("TWINGRAD_CACHE_DIR")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "twingrad"


def key(parts: Iterable[str]) -> str:
    """A name for what these texts, in this order, produce."""
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def load(name: str) -> bytes | None:
    """The content kept under `name`; None if there is none, or if its file is damaged."""
    try:
        data = (folder() / name).read_bytes()
    except OSError:
        return None
    content = data[len(MARK) + DIGEST :]
    whole = data.startswith(MARK) and data[len(MARK) : len(MARK) + DIGEST] == hashlib.sha256(content).digest()
    return content if whole else None


def store(name: str, content: bytes) -> None:
    """Keep `content` under `name`. Where the folder cannot be written, a CacheWarning says so once."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write_whole(place / name, MARK + hashlib.sha256(content).digest() + content)
    except OSError as error:
        if str(place) not in _told:
            _told.add(str(place))
            message = f"compiled kernels cannot be kept in {place} ({error}): each process compiles them anew"
            warnings.warn(f"{message}; TWINGRAD_CACHE_DIR names another folder", CacheWarning, stacklevel=2)


class Cleared(NamedTuple):
    """What `clear` removed, and from where."""

    folder: Path
    files: int
    bytes: int


def clear() -> Cleared:
    """Remove every kept kernel, and what interrupted writes left; other files in the folder stay.

    Processes that run go on with what they have loaded. Raises OSError for a file that cannot be removed.
    """
    place, found = folder(), []
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        if path.is_file() and (_is_kept(path) or _is_left_over(path)):
            found.append(path.stat().st_size)
            path.unlink(missing_ok=True)
    return Cleared(place, len(found), sum(found))


def _is_kept(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MARK)) == MARK


def _is_left_over(path: Path) -> bool:
    """Whether `path` has a name that `_write_whole` gives until it renames."""
    return re.fullmatch(r"\.\w+-(sm|compute)_\d+-[0-9a-f]{64}\.\w+", path.name) is not None


def _write_whole(path: Path, data: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
