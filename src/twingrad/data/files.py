"""Opening files, and what was meant by the name of one that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from io import BufferedIOBase
from pathlib import Path

ALIKE = 0.7
"""The least likeness of names, from 0 to 1, of which one is suggested for the other."""


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """The file's bytes, decompressed where its name ends in .gz.

    Raises:
        ValueError: the compressed file is damaged or truncated.
    """
    if path.suffix != ".gz":
        with path.open("rb") as plain:
            yield plain
        return
    import gzip  # not at import: most data sets need neither
    import zlib

    try:
        with gzip.open(path, "rb") as compressed:
            yield compressed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the compressed file is damaged or truncated ({error}); fetch it again") from error


def missing(what: str, path: Path) -> FileNotFoundError:
    """The error that tells what does not exist, and suggests what is called most like it in the same folder; endings,
    as .csv, do not count.
    """
    there = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    near = get_close_matches(path.stem, [entry.stem for entry in there], n=1, cutoff=ALIKE)
    meant = next((str(entry) for entry in there if [entry.stem] == near), None)
    return FileNotFoundError(f"there is no {what} {str(path)!r}" + (f"; did you mean {meant!r}?" if meant else ""))
